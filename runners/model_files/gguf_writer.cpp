#include "runners/model_files/gguf_writer.h"

#include <cassert>
#include <string>

namespace gpqa {
namespace {

std::uint64_t aligned(std::uint64_t size, std::uint64_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_string(std::string& out, std::string_view text) {
  put<std::uint64_t>(out, text.size());
  out.append(text);
}

// Metadata and directory, aligned: the tensors' bytes follow, each of them aligned too.
std::string header_bytes(const GgufMetadata& metadata, std::span<const TensorInfo> tensors) {
  std::string out = "GGUF";
  put<std::uint32_t>(out, 3);
  put<std::uint64_t>(out, tensors.size());
  put<std::uint64_t>(out, metadata.entries().size());
  for (const auto& entry : metadata.entries()) {
    put_string(out, entry.key);
    put(out, static_cast<std::uint32_t>(entry.type));
    out += entry.bytes;
  }
  std::uint64_t offset = 0;
  for (const auto& tensor : tensors) {
    assert(!tensor.shape.empty() && tensor.shape.size() <= 4 && tensor.byte_count() > 0);
    assert(block_format(tensor.format.id));
    put_string(out, tensor.name);
    put(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (const auto length : tensor.shape) {
      put(out, length);
    }
    put(out, tensor.format.id);
    put(out, offset);
    offset += aligned(tensor.byte_count(), metadata.alignment());
  }
  out.resize(aligned(out.size(), metadata.alignment()));
  return out;
}

std::uint64_t data_bytes(std::span<const TensorInfo> tensors, std::uint64_t alignment) {
  std::uint64_t sum = 0;
  for (const auto& tensor : tensors) {
    sum += aligned(tensor.byte_count(), alignment);
  }
  return sum;
}

}  // namespace

GgufWriter::GgufWriter(const std::filesystem::path& path, const GgufMetadata& metadata,
                       std::span<const TensorInfo> tensors)
    : alignment_(metadata.alignment()),
      file_(path, header_bytes(metadata, tensors).size() + data_bytes(tensors, alignment_)) {
  for (const auto& tensor : tensors) {
    left_.push_back(tensor.byte_count());
  }
  file_.write(header_bytes(metadata, tensors));
}

void GgufWriter::write(std::span<const std::byte> bytes) {
  assert(next_ < left_.size() && bytes.size() <= left_[next_]);
  file_.write(bytes);
  left_[next_] -= bytes.size();
  if (left_[next_] == 0) {
    file_.align(alignment_);
    ++next_;
  }
}

void GgufWriter::finish() {
  assert(next_ == left_.size());
  file_.finish();
}

void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                std::span<const TensorView> tensors) {
  std::vector<TensorInfo> infos;
  for (const auto& tensor : tensors) {
    infos.push_back(tensor.info());
  }
  GgufWriter writer(path, metadata, infos);
  for (const auto& tensor : tensors) {
    writer.write(tensor.bytes);
  }
  writer.finish();
}

}  // namespace gpqa
