#include <immintrin.h>
#include <utility>

#include "runners/embedded/backend/cpu/kernels.h"

namespace gpqa {
namespace {

#include "runners/embedded/backend/cpu/instruction_set_impl.h"

}  // namespace

constinit const Kernels kAvxVnniKernels = make_kernels("avx_vnni");

}  // namespace gpqa
