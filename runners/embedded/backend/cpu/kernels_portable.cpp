#include "runners/embedded/backend/cpu/kernels.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace gpqa {
namespace {

// clang-format off: the second stands on the first
#include "runners/embedded/backend/cpu/kernels_impl.h"
#include "runners/embedded/backend/cpu/panel_impl.h"
// clang-format on

}  // namespace

constinit const Kernels kPortableKernels = make_kernels("portable");

}  // namespace gpqa
