// Which experts answer for a token, on the CPU.
#pragma once

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/cpu_memory.h"
#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/embedded/backend/cpu/thread_pool.h"

namespace gpqa {

// As in Backend.
void cpu_route(const Kernels& kernels, ThreadPool& pool, CpuRouting& routing, Tensor logits,
               const CpuWeight& scales);
void cpu_combine(const Kernels& kernels, ThreadPool& pool, Tensor out, Tensor outs,
                 const CpuRouting& routing);

}  // namespace gpqa
