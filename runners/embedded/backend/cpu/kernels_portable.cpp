#include <utility>

#include "runners/embedded/backend/cpu/kernels.h"

#ifdef __SSE2__
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace gpqa {
namespace {

#include "runners/embedded/backend/cpu/instruction_set_impl.h"

}  // namespace

constinit const Kernels kPortableKernels = make_kernels("portable");

}  // namespace gpqa
