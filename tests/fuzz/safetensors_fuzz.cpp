// A file of tensors as it is ('f'), or as JSON, a NUL and data ('h'); or an index and two such files, each
// after
// "\nFILE\n" ('i').
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "prompts/input_error.h"
#include "runners/model_files/dequantize.h"
#include "runners/model_files/safetensors_reader.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

constexpr std::string_view kBetween = "\nFILE\n";
constexpr std::uint64_t kMaxValues = 1u << 16;

void check_tensors(std::span<const TensorView> tensors) {
  for (const auto& tensor : tensors) {
    must(!tensor.name.empty(), "a tensor has a name");
    must(tensor.elements() % tensor.format.elements == 0 &&
             tensor.elements() / tensor.format.elements * tensor.format.bytes == tensor.bytes.size(),
         "shape and dtype make the bytes");
    if (can_dequantize(tensor.format) && tensor.elements() <= kMaxValues) {
      std::vector<float> values(tensor.elements());
      dequantize(tensor.format, tensor.bytes, values);
    }
  }
}

void check_file(std::string_view bytes) {
  const auto header = unless_refused<FormatError>(
      [&] { return parse_safetensors(std::as_bytes(std::span(bytes)), "fuzz.safetensors"); });
  if (!header) return;
  std::uint64_t sum = 0;
  std::set<std::string> names;
  for (const auto& tensor : header->tensors) {
    must(names.insert(tensor.name).second, "a name is there once");
    sum += tensor.bytes.size();
  }
  must(sum <= bytes.size(), "tensors lie in the file");
  if (!header->tensors.empty())
    must(header->tensors.back().bytes.data() + header->tensors.back().bytes.size() ==
             std::as_bytes(std::span(bytes)).data() + bytes.size(),
         "the last tensor ends the file");
  check_tensors(header->tensors);
}

// JSON, NUL, data -> a file with the right length in front.
std::string file_of(std::string_view input) {
  const auto json = input.substr(0, input.find('\0'));
  const auto data = input.substr(std::min(json.size() + 1, input.size()));
  const std::uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length).append(json).append(data);
}

std::string_view take_piece(std::string_view& input) {
  const auto piece = input.substr(0, input.find(kBetween));
  input.remove_prefix(std::min(piece.size() + kBetween.size(), input.size()));
  return piece;
}

void check_checkpoint(std::string_view input) {
  std::map<std::string, std::string> files;
  for (const char* name : {"m.json", "a.safetensors", "b.safetensors"}) {
    const auto piece = take_piece(input);
    files[name] = files.empty() ? std::string(piece) : file_of(piece);
  }
  const auto checkpoint = unless_refused<InputError>([&] {
    return SafetensorsCheckpoint("m.json", [&](const std::filesystem::path& path) {
      const auto it = files.find(path.string());
      if (it == files.end()) throw InputError("no such file");
      return std::as_bytes(std::span(it->second));
    });
  });
  if (!checkpoint) return;
  must(checkpoint->files().size() <= 2, "an index names files");
  for (const auto& tensor : checkpoint->tensors())
    must(checkpoint->find(tensor.name) == &tensor, "a tensor is found by its name");
  check_tensors(checkpoint->tensors());
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa;
  auto input = fuzz::input_of(data, size);
  switch (fuzz::take_byte(input)) {
    case 'f':
      fuzz::check_file(input);
      break;
    case 'h':
      fuzz::check_file(fuzz::file_of(input));
      break;
    default:
      fuzz::check_checkpoint(input);
  }
  return 0;
}
