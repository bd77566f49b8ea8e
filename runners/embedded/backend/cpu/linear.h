// Matrix products of the CPU backend: one weight row at a time is made ready, for all tokens that want it.
#pragma once

#include <cstdint>
#include <vector>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/cpu_backend.h"
#include "runners/embedded/backend/cpu/cpu_memory.h"
#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/embedded/backend/cpu/thread_pool.h"

namespace gpqa {

class CpuLinear {
 public:
  CpuLinear(const Kernels& kernels, Arithmetic arithmetic, ThreadPool& pool);

  // As in Backend.
  void linear(Tensor out, Tensor x, const CpuWeight& weight);
  void expert_linear(Tensor out, Tensor x, const CpuWeight& weight, const CpuRouting& routing);

 private:
  struct Scratch {  // of one thread
    std::vector<float> row;
    std::vector<std::int8_t> values;
    std::vector<float> scales, minimums;
  };

  UnpackedForm form_for(const CpuWeight& weight) const;
  void quantize_rows(Tensor x);
  QuantizedRow quantized_row(std::size_t index);
  // One block of the matrix's rows with the rows `places` of out; row p of out comes of row p / in_step of x.
  void multiply_rows(Tensor out, Tensor x, const CpuWeight& weight, std::size_t expert, std::size_t block,
                     const std::vector<std::size_t>& places, std::size_t in_step, std::size_t thread);

  const Kernels& kernels_;
  Arithmetic arithmetic_;
  ThreadPool& pool_;
  std::vector<Scratch> scratch_;
  // x at 8 bits
  std::size_t quantized_width_ = 0;
  std::vector<std::int8_t> values_;
  std::vector<float> scales_, sums_;
};

}  // namespace gpqa
