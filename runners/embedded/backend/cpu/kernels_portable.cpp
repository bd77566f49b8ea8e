#include "runners/embedded/backend/cpu/kernels.h"

namespace gpqa {
namespace {

#include "runners/embedded/backend/cpu/kernels_impl.h"

}  // namespace

constinit const Kernels kPortableKernels = make_kernels("portable");

}  // namespace gpqa
