// The float32 form of a BF16 model: as large as two of it, so tests make it when they need it.
#pragma once

#include <filesystem>
#include <vector>

#include "runners/model_files/dequantize.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/gguf_writer.h"

namespace gpqa::test {

// Every tensor as F32, `general.file_type` to match; all else as in `from`.
inline void widen_gguf(const std::filesystem::path& from, const std::filesystem::path& to) {
  const GgufFile file(from);
  GgufMetadata metadata(file);
  metadata.set("general.file_type", std::uint32_t{0});
  std::vector<TensorInfo> infos;
  for (const auto& tensor : file.tensors()) {
    infos.push_back({tensor.name, *block_format(0), tensor.shape});
  }
  GgufWriter writer(to, metadata, infos);
  for (const auto& tensor : file.tensors()) {
    std::vector<float> values(tensor.elements());
    dequantize(tensor.format, tensor.bytes, values);
    writer.write(std::as_bytes(std::span(values)));
  }
  writer.finish();
}

}  // namespace gpqa::test
