#include <immintrin.h>
#include <utility>

#include "runners/embedded/backend/cpu/kernels.h"

namespace gpqa {
namespace {

#include "runners/embedded/backend/cpu/instruction_set_impl.h"

}  // namespace

constinit const Kernels kAvx512Kernels = make_kernels("avx512");

}  // namespace gpqa
