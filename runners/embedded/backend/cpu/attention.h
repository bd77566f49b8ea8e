// Positions, keys and values on the CPU.
#pragma once

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/cpu_memory.h"
#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/embedded/backend/cpu/kv_cache.h"
#include "runners/embedded/backend/cpu/thread_pool.h"

namespace gpqa {

// As in Backend.
void cpu_rope(ThreadPool& pool, Tensor x, const CpuWeight& inv_freq, std::size_t head_dim,
              const Batch& batch);
void cpu_store_kv(const Kernels& kernels, ThreadPool& pool, CpuKvCache& kv, Tensor k, Tensor v,
                  const Batch& batch);
void cpu_attention(const Kernels& kernels, ThreadPool& pool, Tensor out, Tensor q, const CpuKvCache& kv,
                   std::size_t heads, const Batch& batch);

}  // namespace gpqa
