#include "runners/embedded/backend/cpu/kernels.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace gpqa {
#ifdef __x86_64__
namespace {

// Clang 14 has no name for it.
bool has_avx_vnni() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1U) != 0;
}

}  // namespace
#endif

std::vector<const Kernels*> usable_kernels() {
  std::vector<const Kernels*> all = {&kPortableKernels};
#ifdef __x86_64__
  // F16C came before AVX2; not every compiler knows its name here.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(&kAvx2Kernels);
  if (all.back() == &kAvx2Kernels && has_avx_vnni()) all.push_back(&kAvxVnniKernels);
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
