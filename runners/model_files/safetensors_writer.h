// Writes safetensors as Hugging Face's library does: files have their names only when all of them are whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "runners/model_files/output_file.h"
#include "runners/model_files/safetensors_reader.h"
#include "runners/model_files/tensor_view.h"

namespace gpqa {

class SafetensorsWriter {
 public:
  // One file. Throws InputError if it is there already, if a tensor's type has no dtype, or if a name is no
  // UTF-8; OutputFile says what else can fail.
  SafetensorsWriter(const std::filesystem::path& path, const SafetensorsMetadata& metadata,
                    std::span<const TensorInfo> tensors);
  // A checkpoint in a folder that is there: model.safetensors if it has no more than `shard_bytes` bytes of
  // tensors, else model-0000N-of-0000M.safetensors and their index. A larger tensor has a file of its own.
  SafetensorsWriter(const std::filesystem::path& folder, const SafetensorsMetadata& metadata,
                    std::span<const TensorInfo> tensors, std::uint64_t shard_bytes);

  // The next bytes of the next tensor, whole or in pieces, which never reach into the tensor after it.
  void write(std::span<const std::byte> bytes);
  // After the last tensor's last byte.
  void finish();

 private:
  void add_file(const std::filesystem::path& path, const SafetensorsMetadata& metadata,
                std::span<const TensorInfo> tensors);
  void skip_finished();

  struct Shard {
    OutputFile file;
    std::uint64_t left = 0;  // bytes that are still to come
  };
  std::vector<Shard> shards_;  // in the order of their names; the index, if there is one, is the last
  std::size_t next_ = 0;
};

}  // namespace gpqa
