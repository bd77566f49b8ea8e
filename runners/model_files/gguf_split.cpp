// A model in several GGUF files: NAME-00001-of-0000N.gguf and those that follow it.
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/gguf_reader.h"
#include "runners/model_files/mapped_file.h"

namespace gpqa {
namespace {

constexpr std::uint64_t kMaxSplits = 1000;

// NAME-00001-of-0000N.gguf -> NAME-0000I-of-0000N.gguf
std::filesystem::path split_path(const std::filesystem::path& first, std::uint64_t index,
                                 std::uint64_t count) {
  const auto tail = [&](std::uint64_t i) { return fmt::format("-{:05d}-of-{:05d}.gguf", i, count); };
  const std::string name = first.filename().string();
  if (!name.ends_with(tail(1))) {
    throw FormatError(
        first.string(), "",
        fmt::format("the first of {} split files; expected a name that ends with {}", count, tail(1)));
  }
  return first.parent_path() / (name.substr(0, name.size() - tail(1).size()) + tail(index));
}

// Part `index` (from 1) of `count`.
GgufHeader read_part(const std::filesystem::path& first, std::uint64_t index, std::uint64_t count,
                     const OpenBytes& open) {
  const auto path = split_path(first, index, count);
  GgufHeader part = parse_gguf_header(open(path), path);
  if (part.count("split.no") != index - 1 || part.count("split.count") != count) {
    throw FormatError(
        path.string(), "",
        fmt::format("expected part {} of {} split files, found split.no = {}, split.count = {}", index, count,
                    part.count("split.no").value_or(0), part.count("split.count").value_or(0)));
  }
  return part;
}

}  // namespace

GgufHeader read_gguf_header(const std::filesystem::path& path, const OpenBytes& open) {
  GgufHeader header = parse_gguf_header(open(path), path);
  const auto splits = header.count("split.count").value_or(0);
  if (splits <= 1) {
    return header;
  }
  if (splits > kMaxSplits || header.count("split.no").value_or(0) != 0) {
    throw FormatError(path.string(), "",
                      fmt::format("part {} of {} split files; give the first one",
                                  header.count("split.no").value_or(0) + 1, splits));
  }
  std::set<std::string> names;
  for (const auto& tensor : header.tensors) {
    names.insert(tensor.name);
  }
  for (std::uint64_t i = 2; i <= splits; ++i) {
    GgufHeader part = read_part(path, i, splits, open);
    for (auto& tensor : part.tensors) {
      if (!names.insert(tensor.name).second) {
        throw FormatError(part.files[0].string(), "",
                          fmt::format("tensor {} is in an earlier part too", tensor.name));
      }
      tensor.file = static_cast<std::uint32_t>(header.files.size());
      header.tensors.push_back(std::move(tensor));
    }
    header.files.push_back(part.files[0]);
  }
  return header;
}

GgufHeader read_gguf_header(const std::filesystem::path& path) {
  std::optional<MappedFile> file;  // one part at a time
  return read_gguf_header(path,
                          [&](const std::filesystem::path& part) { return file.emplace(part).bytes(); });
}

}  // namespace gpqa
