#include <immintrin.h>
#include <utility>

#include "runners/embedded/backend/cpu/kernels.h"

namespace gpqa {
namespace {

#include "runners/embedded/backend/cpu/instruction_set_impl.h"

}  // namespace

constinit const Kernels kAvx2Kernels = make_kernels("avx2");

}  // namespace gpqa
