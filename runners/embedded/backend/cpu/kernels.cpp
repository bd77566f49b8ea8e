#include "runners/embedded/backend/cpu/kernels.h"

#ifdef __aarch64__
#include <sys/auxv.h>
#endif

namespace gpqa {

std::vector<const Kernels*> usable_kernels() {
  std::vector<const Kernels*> all = {&kPortableKernels};
#ifdef __x86_64__
  // F16C came before AVX2; not every compiler knows its name here.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(&kAvx2Kernels);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    all.push_back(&kAvx512Kernels);
  if (all.back() == &kAvx512Kernels && __builtin_cpu_supports("avx512vnni"))
    all.push_back(&kAvx512VnniKernels);
#endif
#ifdef __aarch64__
  if ((getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) all.push_back(&kNeonKernels);
#endif
  return all;
}

}  // namespace gpqa
