// The inner loops of the CPU backend. The same source is compiled for each instruction set; which one is used
// is chosen once, when a backend is made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "runners/embedded/backend/cpu/kv_kernels.h"
#include "runners/embedded/backend/cpu/panel.h"

namespace gpqa {

// Widths are anything. Each result element is a function of its own inputs, whatever their addresses are and
// whatever is computed beside it.
struct Kernels {
  std::string_view name;
  float (*dot)(const float* a, const float* b, std::size_t n);
  void (*rms_norm)(float* out, const float* x, const float* weight, float eps, std::size_t n);
  void (*gelu_multiply)(float* out, const float* gate, const float* up, std::size_t n);
  void (*softcap)(float* x, float cap, std::size_t n);
  void (*softmax)(float* x, std::size_t n);
  // out += factor * x
  void (*add_scaled)(float* out, const float* x, float factor, std::size_t n);
  PanelKernels panels;
  std::array<KvKernels, 3> kv;  // by KvType
};

extern const Kernels kPortableKernels;
#ifdef __x86_64__
extern const Kernels kAvx2Kernels;
extern const Kernels kAvxVnniKernels;     // AVX2 and AVX-VNNI
extern const Kernels kAvx512Kernels;      // F, BW, DQ, VL
extern const Kernels kAvx512VnniKernels;  // and VNNI
#endif
#ifdef __aarch64__
extern const Kernels kNeonKernels;  // with dot products, as all have from ARMv8.4 on and many before
#endif

// Those that this processor can run, the best last; "portable" is always among them.
std::vector<const Kernels*> usable_kernels();

}  // namespace gpqa
