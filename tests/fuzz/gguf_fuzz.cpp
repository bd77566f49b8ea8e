// The header of a model's file.
#include <algorithm>
#include <span>
#include <variant>
#include <vector>

#include "prompts/input_error.h"
#include "runners/model_files/gguf_reader.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

void check_header(const GgufHeader& header, std::uint64_t size) {
  for (const auto& [key, value] : header.metadata) {
    if (const auto* array = std::get_if<GgufArray>(&value)) {
      must(array->offset <= size && array->bytes <= size - array->offset, "an array lies in the file");
    }
    header.text(key);
    header.count(key);
  }
  auto tensors = header.tensors;
  std::sort(tensors.begin(), tensors.end(),
            [](const GgufTensor& a, const GgufTensor& b) { return a.offset < b.offset; });
  std::uint64_t end = 0;
  for (const auto& tensor : tensors) {
    must(tensor.offset >= end, "tensors don't overlap");
    must(tensor.offset <= size && tensor.bytes <= size - tensor.offset, "a tensor lies in the file");
    end = tensor.offset + tensor.bytes;
  }
  must(header.tensor_bytes() <= size, "all tensors lie in the file");
  must(header.tensors.empty() || !header.main_type().empty(), "tensors have a type");
  header.n_params();
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa;
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto header =
      fuzz::unless_refused<FormatError>([&] { return parse_gguf_header(bytes, "fuzz.gguf"); });
  if (header) fuzz::check_header(*header, size);
  return 0;
}
