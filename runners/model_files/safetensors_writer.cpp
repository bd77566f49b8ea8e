#include "runners/model_files/safetensors_writer.h"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "runners/model_files/safetensors_types.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

// A JSON string as serde writes it.
std::string quoted(const std::string& text, const fs::path& path) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw InputError(
        fmt::format("{}: a name in it would be no UTF-8; safetensors can't hold that", path.string()));
  }
}

// Length and JSON, filled with spaces so that the data begin at a multiple of 8.
std::string header_bytes(const SafetensorsMetadata& metadata, std::span<const TensorInfo> tensors,
                         const fs::path& path) {
  std::string json;
  if (!metadata.empty()) {
    std::vector<std::string> fields;
    for (const auto& [key, value] : metadata) {
      fields.push_back(quoted(key, path) + ":" + quoted(value, path));
    }
    json += fmt::format(",\"__metadata__\":{{{}}}", fmt::join(fields, ","));
  }
  std::uint64_t offset = 0;
  for (const auto& tensor : tensors) {
    if (!safetensors_type(tensor.format.name)) {
      throw InputError(
          fmt::format("{}: tensor {} is {}, which safetensors has no dtype for: dequantise it first",
                      path.string(), tensor.name, tensor.format.name));
    }
    const std::vector<std::uint64_t> shape(tensor.shape.rbegin(), tensor.shape.rend());
    const auto end = offset + tensor.byte_count();
    json += fmt::format(",{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                        quoted(tensor.name, path), tensor.format.name, fmt::join(shape, ","), offset, end);
    offset = end;
  }
  json = "{" + (json.empty() ? json : json.substr(1)) + "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + json;
}

std::uint64_t data_bytes(std::span<const TensorInfo> tensors) {
  std::uint64_t sum = 0;
  for (const auto& tensor : tensors) {
    sum += tensor.byte_count();
  }
  return sum;
}

// Tensors a file, in their order.
std::vector<std::span<const TensorInfo>> shards_of(std::span<const TensorInfo> tensors,
                                                   std::uint64_t shard_bytes) {
  std::vector<std::span<const TensorInfo>> shards;
  std::size_t begin = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto more = tensors[i].byte_count();
    if (i > begin && bytes + more > shard_bytes) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += more;
  }
  shards.push_back(tensors.subspan(begin));
  return shards;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const fs::path& path, const SafetensorsMetadata& metadata,
                                     std::span<const TensorInfo> tensors) {
  add_file(path, metadata, tensors);
  skip_finished();
}

SafetensorsWriter::SafetensorsWriter(const fs::path& folder, const SafetensorsMetadata& metadata,
                                     std::span<const TensorInfo> tensors, std::uint64_t shard_bytes) {
  const auto shards = shards_of(tensors, shard_bytes);
  if (shards.size() == 1) {
    add_file(folder / "model.safetensors", metadata, tensors);
    skip_finished();
    return;
  }
  // As transformers writes it.
  nlohmann::json index{{"metadata", {{"total_parameters", 0}, {"total_size", data_bytes(tensors)}}}};
  std::uint64_t elements = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const auto name = fmt::format("model-{:05d}-of-{:05d}.safetensors", i + 1, shards.size());
    add_file(folder / name, metadata, shards[i]);
    for (const auto& tensor : shards[i]) {
      elements += count_elements(tensor.shape);
      index["weight_map"][tensor.name] = name;
    }
  }
  index["metadata"]["total_parameters"] = elements;
  const std::string text = index.dump(2, ' ', true);
  shards_.push_back({OutputFile(folder / "model.safetensors.index.json", text.size()), 0});
  shards_.back().file.write(text);
  skip_finished();
}

void SafetensorsWriter::add_file(const fs::path& path, const SafetensorsMetadata& metadata,
                                 std::span<const TensorInfo> tensors) {
  const auto header = header_bytes(metadata, tensors, path);
  const auto bytes = data_bytes(tensors);
  shards_.push_back({OutputFile(path, header.size() + bytes), bytes});
  shards_.back().file.write(header);
}

void SafetensorsWriter::skip_finished() {
  while (next_ < shards_.size() && shards_[next_].left == 0) {
    ++next_;
  }
}

void SafetensorsWriter::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return;
  }
  assert(next_ < shards_.size() && bytes.size() <= shards_[next_].left);
  shards_[next_].file.write(bytes);
  shards_[next_].left -= bytes.size();
  skip_finished();
}

void SafetensorsWriter::finish() {
  assert(next_ == shards_.size());
  for (auto& shard : shards_) {
    shard.file.sync();
  }
  // The index comes last: without it the files are no checkpoint.
  for (auto& shard : shards_) {
    shard.file.finish();
  }
}

}  // namespace gpqa
