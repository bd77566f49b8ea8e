// What the CPU backend's handles really are.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/huge_pages.h"
#include "runners/embedded/backend/cpu/packed_matrix.h"

namespace gpqa {

struct CpuBuffer final : Buffer {
  CpuBuffer(std::size_t row_count, std::size_t row_width)
      : numbers(row_count * row_width), rows(row_count), width(row_width) {}
  Tensor tensor() const override { return {const_cast<float*>(numbers.data()), rows, width, width}; }
  HugeVector<float> numbers;
  std::size_t rows;
  std::size_t width;
};

// A matrix or a stack of them is packed; a vector is small and read often, so it is kept as float32.
struct CpuWeight final : Weight {
  std::size_t width() const override { return matrix != nullptr ? matrix->width() : vector.size(); }
  std::size_t rows() const override { return matrix != nullptr ? matrix->rows() : 1; }
  std::size_t experts() const override { return matrix != nullptr ? matrix->experts() : 1; }
  std::unique_ptr<PackedMatrix> matrix;  // null for a vector
  Inputs inputs = Inputs::may_be_rounded;
  std::vector<float> vector;
};

struct CpuRouting final : Routing {
  std::size_t tokens = 0;
  RoutingOnHost chosen;
  std::vector<std::vector<std::size_t>> places;  // of each expert: where in chosen.experts it stands
};

inline const CpuWeight& on_cpu(const Weight& weight) {
  return static_cast<const CpuWeight&>(weight);
}

inline std::span<float> row_of(const Tensor& x, std::size_t index) {
  return {x.data + index * x.stride, x.width};
}

}  // namespace gpqa
