// The benchmarks of one instruction set's kernels.
#pragma once

#include "runners/embedded/backend/cpu/kernels.h"

namespace gpqa_bench {

void register_panels(const gpqa::Kernels& kernels);     // matrix products
void register_attention(const gpqa::Kernels& kernels);  // keys and values
void register_rows(const gpqa::Kernels& kernels);       // what is done to each row of activations

}  // namespace gpqa_bench
