#include <arm_neon.h>
#include <utility>

#include "runners/embedded/backend/cpu/kernels.h"

namespace gpqa {
namespace {

#include "runners/embedded/backend/cpu/instruction_set_impl.h"

}  // namespace

constinit const Kernels kNeonKernels = make_kernels("neon");

}  // namespace gpqa
