#include "runners/embedded/backend/cpu/linear.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "runners/model_files/dequantize.h"

namespace gpqa {
namespace {

// Weight rows that are made ready together: few enough for them to stay in the nearest cache while every
// token passes.
constexpr std::size_t kRowsAtOnce = 8;

}  // namespace

CpuLinear::CpuLinear(const Kernels& kernels, Arithmetic arithmetic, ThreadPool& pool)
    : kernels_(kernels), arithmetic_(arithmetic), pool_(pool), scratch_(pool.threads()) {}

// Without `unpack` where the product is taken in float32.
UnpackedForm CpuLinear::form_for(const CpuWeight& weight) const {
  if (arithmetic_ == Arithmetic::float32 || weight.inputs == Inputs::exact) return {};
  return kernels_.form_of(weight.view.format.id);
}

QuantizedRow CpuLinear::quantized_row(std::size_t index) {
  const std::size_t blocks = quantized_width_ / kQuantBlock;
  return {values_.data() + index * quantized_width_, scales_.data() + index * blocks,
          sums_.data() + index * blocks};
}

void CpuLinear::quantize_rows(Tensor x) {
  quantized_width_ = x.width;
  const std::size_t blocks = x.width / kQuantBlock;
  values_.resize(std::max(values_.size(), x.rows * x.width));
  scales_.resize(std::max(scales_.size(), x.rows * blocks));
  sums_.resize(std::max(sums_.size(), x.rows * blocks));
  pool_.run(x.rows, [&](std::size_t t, std::size_t) {
    kernels_.quantize(row_of(x, t).data(), x.width, quantized_row(t));
  });
}

void CpuLinear::multiply_rows(Tensor out, Tensor x, const CpuWeight& weight, std::size_t expert,
                              std::size_t block, const std::vector<std::size_t>& places, std::size_t in_step,
                              std::size_t thread) {
  const std::size_t width = weight.width();
  const std::size_t first = block * kRowsAtOnce;
  const std::size_t count = std::min(kRowsAtOnce, weight.rows() - first);
  const auto form = form_for(weight);
  Scratch& scratch = scratch_[thread];
  if (form.unpack != nullptr) {
    const std::size_t scales = width / form.per_scale;
    const std::size_t minimums = width / 32;
    scratch.values.resize(std::max(scratch.values.size(), kRowsAtOnce * width));
    scratch.scales.resize(std::max(scratch.scales.size(), kRowsAtOnce * scales));
    scratch.minimums.resize(std::max(scratch.minimums.size(), kRowsAtOnce * minimums));
    UnpackedRow rows[kRowsAtOnce];
    for (std::size_t r = 0; r < count; ++r) {
      rows[r] = {scratch.values.data() + r * width, scratch.scales.data() + r * scales,
                 scratch.minimums.data() + r * minimums};
      form.unpack(weight.row(expert, first + r).data(), width, rows[r]);
    }
    for (const std::size_t place : places) {
      const QuantizedRow token = quantized_row(place / in_step);
      float* to = row_of(out, place).data() + first;
      for (std::size_t r = 0; r < count; ++r) to[r] = kernels_.dot_quantized(rows[r], form, token, width);
    }
    return;
  }
  scratch.row.resize(std::max(scratch.row.size(), kRowsAtOnce * width));
  for (std::size_t r = 0; r < count; ++r)
    dequantize(weight.view.format, weight.row(expert, first + r),
               std::span(scratch.row.data() + r * width, width));
  for (const std::size_t place : places) {
    const float* token = row_of(x, place / in_step).data();
    float* to = row_of(out, place).data() + first;
    for (std::size_t r = 0; r < count; ++r)
      to[r] = kernels_.dot(scratch.row.data() + r * width, token, width);
  }
}

void CpuLinear::linear(Tensor out, Tensor x, const CpuWeight& weight) {
  assert(x.width == weight.width() && out.width == weight.rows() && out.rows == x.rows);
  if (form_for(weight).unpack != nullptr) quantize_rows(x);
  std::vector<std::size_t> all(x.rows);
  std::iota(all.begin(), all.end(), std::size_t{0});
  const std::size_t blocks = (weight.rows() + kRowsAtOnce - 1) / kRowsAtOnce;
  pool_.run(blocks, [&](std::size_t block, std::size_t thread) {
    multiply_rows(out, x, weight, 0, block, all, 1, thread);
  });
}

void CpuLinear::expert_linear(Tensor out, Tensor x, const CpuWeight& weight, const CpuRouting& routing) {
  const auto& chosen = routing.chosen;
  const std::size_t all = routing.tokens * chosen.used;
  assert(x.width == weight.width() && out.width == weight.rows() && out.rows == all);
  assert(x.rows == routing.tokens || x.rows == all);
  if (form_for(weight).unpack != nullptr) quantize_rows(x);
  std::vector<std::size_t> asked;
  for (std::size_t e = 0; e < routing.places.size(); ++e)
    if (!routing.places[e].empty()) asked.push_back(e);
  const std::size_t blocks = (weight.rows() + kRowsAtOnce - 1) / kRowsAtOnce;
  // A row of x for each row of out, or for all experts of its token.
  const std::size_t in_step = x.rows == all ? 1 : chosen.used;
  pool_.run(asked.size() * blocks, [&](std::size_t task, std::size_t thread) {
    const std::size_t expert = asked[task / blocks];
    multiply_rows(out, x, weight, expert, task % blocks, routing.places[expert], in_step, thread);
  });
}

}  // namespace gpqa
