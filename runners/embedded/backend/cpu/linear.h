// Matrix products of the CPU backend: sixteen rows of weights at a time are made ready, for all tokens that
// want them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/activations.h"
#include "runners/embedded/backend/cpu/cpu_backend.h"
#include "runners/embedded/backend/cpu/cpu_memory.h"
#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/embedded/backend/cpu/thread_pool.h"

namespace gpqa {

class CpuLinear {
 public:
  CpuLinear(const Kernels& kernels, Arithmetic arithmetic, ThreadPool& pool);

  // The rest as in Backend.
  void embed(Tensor out, const CpuWeight& table, const Batch& batch, float factor);
  // out = weight x, or gelu(gate x) * (weight x) if there is a gate.
  void linear(Tensor out, Tensor x, const CpuWeight* gate, const CpuWeight& weight);
  void expert_linear(Tensor out, Tensor x, const CpuWeight* gate, const CpuWeight& weight,
                     const CpuRouting& routing);

 private:
  // The rows of out that one matrix of a stack writes.
  struct Group {
    std::size_t expert;
    std::span<const std::size_t> out;
  };
  struct Part {  // of a group: as many rows as a task takes
    std::size_t expert;
    std::span<const std::size_t> out;
    std::size_t first;  // of its rows in Input::rows
  };
  // x for one weight.
  struct Input {
    Activations x;
    ActivationRows rows;  // of all parts, one after the other
  };
  struct Scratch {  // of one thread
    Panel panel;
    std::vector<float> sums, gate_sums;  // [rows of out, 16]
  };

  ActivationForm form_for(const CpuWeight& weight) const;
  void set_input(Input& input, Tensor x, const CpuWeight& weight, std::span<const Group> groups,
                 std::size_t out_rows_per_x);
  std::vector<Group> group_of_all(std::size_t rows);
  // Row p of out comes of row p / out_rows_per_x of x; gelu(gate x) * (weight x) if there is a gate.
  void run(Tensor out, Tensor x, const CpuWeight* gate, const CpuWeight& weight,
           std::span<const Group> groups, std::size_t out_rows_per_x);
  // One tile of a matrix times the rows that `part` comes of, into `sums`.
  void multiply(const PackedMatrix& weight, const Input& input, const Part& part, std::size_t tile,
                Panel& panel, std::vector<float>& sums) const;

  const Kernels& kernels_;
  Arithmetic arithmetic_;
  ThreadPool& pool_;
  std::vector<Scratch> scratch_;
  Input input_, gate_input_;
  std::vector<Part> parts_;
  std::vector<std::size_t> all_;  // 0, 1, 2, ...
};

}  // namespace gpqa
