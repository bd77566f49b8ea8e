// Writes GGUF v3, tensor after tensor, to a file that has its name only when it is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "runners/model_files/gguf_metadata.h"
#include "runners/model_files/output_file.h"
#include "runners/model_files/tensor_view.h"

namespace gpqa {

class GgufWriter {
 public:
  // Writes what stands before the tensors' bytes. Throws InputError if `path` is there already; OutputFile
  // says what else can fail.
  GgufWriter(const std::filesystem::path& path, const GgufMetadata& metadata,
             std::span<const TensorInfo> tensors);

  // The next bytes of the next tensor, whole or in pieces, which never reach into the tensor after it.
  void write(std::span<const std::byte> bytes);
  // After the last tensor's last byte.
  void finish();

 private:
  std::uint64_t alignment_ = 0;
  std::vector<std::uint64_t> left_;  // of each tensor: bytes that are still to come
  std::size_t next_ = 0;
  OutputFile file_;
};

// All at once.
void write_gguf(const std::filesystem::path& path, const GgufMetadata& metadata,
                std::span<const TensorView> tensors);

}  // namespace gpqa
