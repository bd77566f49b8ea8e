#include <immintrin.h>

#include "runners/embedded/backend/cpu/kernels.h"

namespace gpqa {
namespace {

// clang-format off: the second stands on the first
#include "runners/embedded/backend/cpu/kernels_impl.h"
#include "runners/embedded/backend/cpu/panel_impl.h"
// clang-format on

}  // namespace

constinit const Kernels kAvx512VnniKernels = make_kernels("avx512_vnni");

}  // namespace gpqa
