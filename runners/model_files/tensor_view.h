// A tensor's bytes where they lie in a file: what both readers give, and what dequantising and writing take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "runners/model_files/block_formats.h"

namespace gpqa {

inline std::uint64_t count_elements(std::span<const std::uint64_t> shape) {
  return std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>());
}

// What a writer has to know before the bytes come.
struct TensorInfo {
  std::string name;
  BlockFormat format;
  std::vector<std::uint64_t> shape;  // as TensorView's

  std::uint64_t byte_count() const { return count_elements(shape) / format.elements * format.bytes; }
};

// Whoever made the view keeps the bytes alive, and has checked that they are as many as shape and format say.
struct TensorView {
  std::string name;  // as the file says
  BlockFormat format;
  // GGUF's order, also for safetensors (whose shapes are reversed when they are read): shape[0] is the row
  // length, its elements lie next to each other. Empty for a safetensors scalar.
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> bytes;

  TensorInfo info() const { return {name, format, shape}; }
  std::uint64_t elements() const { return count_elements(shape); }
  std::uint64_t row_elements() const { return shape.empty() ? 1 : shape[0]; }
  std::uint64_t rows() const { return row_elements() == 0 ? 0 : elements() / row_elements(); }
  std::uint64_t row_bytes() const { return row_elements() / format.elements * format.bytes; }
  std::span<const std::byte> row(std::uint64_t index) const {
    return bytes.subspan(index * row_bytes(), row_bytes());
  }
};

}  // namespace gpqa
