// A model's file, header and tensors; or the parts of a split one, with "\nPART\n" between them.
#include <algorithm>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/dequantize.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/gguf_metadata.h"
#include "runners/model_files/model_summary.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

constexpr std::string_view kBetween = "\nPART\n";
constexpr std::uint64_t kMaxRow = 1u << 16;

std::vector<std::string_view> parts_of(std::string_view input) {
  std::vector<std::string_view> parts;
  for (auto at = input.find(kBetween); at != std::string_view::npos; at = input.find(kBetween)) {
    parts.push_back(input.substr(0, at));
    input.remove_prefix(at + kBetween.size());
  }
  parts.push_back(input);
  return parts;
}

std::string part_name(std::size_t index, std::size_t count) {
  return fmt::format("fuzz-{:05d}-of-{:05d}.gguf", index + 1, count);
}

GgufFile open(const std::vector<std::string_view>& parts) {
  return GgufFile(part_name(0, parts.size()), [&](const std::filesystem::path& path) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (path == part_name(i, parts.size())) return std::as_bytes(std::span(parts[i]));
    }
    throw InputError("no such part");
  });
}

void check_header(const GgufHeader& header, const std::vector<std::string_view>& parts) {
  for (const auto& [key, value] : header.metadata) {
    if (const auto* array = std::get_if<GgufArray>(&value)) {
      must(array->offset <= parts[0].size() && array->bytes <= parts[0].size() - array->offset,
           "an array lies in the file");
    }
    header.text(key);
    header.count(key);
  }
  auto tensors = header.tensors;
  std::sort(tensors.begin(), tensors.end(), [](const GgufTensor& a, const GgufTensor& b) {
    return std::pair(a.file, a.offset) < std::pair(b.file, b.offset);
  });
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& tensor = tensors[i];
    const bool first = i == 0 || tensors[i - 1].file != tensor.file;
    must(first || tensor.offset >= tensors[i - 1].offset + tensors[i - 1].bytes, "tensors don't overlap");
    const auto size = parts[tensor.file].size();
    must(tensor.offset <= size && tensor.bytes <= size - tensor.offset, "a tensor lies in its file");
    sum += tensor.bytes;
  }
  must(header.tensor_bytes() == sum, "all tensors are counted");
  must(header.tensors.empty() || !header.main_type().empty(), "tensors have a type");
  header.n_params();
}

void check_readouts(const GgufFile& file) {
  const auto refused = [](auto&& read) { return unless_refused<FormatError>(read); };
  for (const auto& entry : file.header().entries) {
    const auto& key = entry.key;
    must(file.has(key), "a key that was read is there");
    must(file.raw(entry).size() == entry.bytes, "a value has its bytes");
    const auto* array = std::get_if<GgufArray>(&file.header().metadata.at(key));
    const std::uint64_t count = array != nullptr ? array->count : 1;
    int kinds = 0;
    const auto check = [&](const auto& values) {
      must(!values || values->size() == count, "an array is read whole");
      kinds += values ? 1 : 0;
    };
    check(refused([&] { return file.strings(key); }));
    check(refused([&] { return file.integers(key); }));
    check(refused([&] { return file.floats(key); }));
    check(refused([&] { return file.flags(key); }));
    must(kinds <= 2, "only booleans are also integers");
    kinds = 0;
    kinds += refused([&] { return file.text(key); }) ? 1 : 0;
    kinds += refused([&] { return file.number(key); }) ? 1 : 0;
    kinds += refused([&] { return file.flag(key); }) ? 1 : 0;
    must(kinds <= 1 && (array == nullptr || kinds == 0), "a value is of one kind");
    refused([&] { return file.count(key); });
  }
  must(!refused([&] { return file.text("a key that isn't there"); }), "a missing key is refused");
  refused([&] { return summarise(file).bits_per_weight(); });
  must(GgufMetadata(file).entries().size() <= file.header().entries.size(), "metadata is copied");
}

void check_tensors(const GgufFile& file) {
  for (const auto& tensor : file.tensors()) {
    must(file.find(tensor.name) == &tensor, "a tensor is found by its name");
    must(tensor.rows() * tensor.row_bytes() == tensor.bytes.size(), "rows make the tensor");
    if (can_dequantize(tensor.format) && tensor.row_elements() <= kMaxRow) {
      std::vector<float> row(tensor.row_elements());
      dequantize(tensor.format, tensor.row(tensor.rows() - 1), row);
    }
  }
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa;
  const auto parts = fuzz::parts_of(fuzz::input_of(data, size));
  const auto file = fuzz::unless_refused<InputError>([&] { return fuzz::open(parts); });
  if (file) {
    fuzz::check_header(file->header(), parts);
    fuzz::check_readouts(*file);
    fuzz::check_tensors(*file);
  }
  return 0;
}
