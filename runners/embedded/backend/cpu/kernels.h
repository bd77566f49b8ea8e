// The inner loops of the CPU backend. The same source is compiled for each instruction set; which one is used
// is chosen once, when a backend is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gpqa {

// Activations that share a scale. Half of what llama.cpp takes together: the rounding is smaller by a sixth,
// and fewer near-ties of the router fall to the other side.
constexpr std::size_t kQuantBlock = 16;

// Activations at 8 bits: x[i] ~ values[i] * scales[i / 16].
struct QuantizedRow {
  std::int8_t* values;
  float* scales;
  float* sums;  // of each block's values, times its scale
};

// A row of weights as small integers: w[i] = values[i] * scales[i / per] - minimums[i / 32].
struct UnpackedRow {
  std::int8_t* values;
  float* scales;
  float* minimums;
};

// How the blocks of a format unpack. `bytes`: whole blocks of a row of `width` elements.
struct UnpackedForm {
  void (*unpack)(const std::byte* bytes, std::size_t width, UnpackedRow out);
  std::size_t per_scale;  // 16 or 32 elements
  bool has_minimums;
};

// Widths are multiples of 32 where 8-bit numbers are involved, and anything elsewhere. Each result element is
// a function of its own inputs, whatever their addresses are and whatever is computed beside it.
struct Kernels {
  std::string_view name;
  float (*dot)(const float* a, const float* b, std::size_t n);
  void (*quantize)(const float* x, std::size_t n, QuantizedRow out);
  float (*dot_quantized)(const UnpackedRow& w, const UnpackedForm& form, const QuantizedRow& x,
                         std::size_t n);
  void (*rms_norm)(float* out, const float* x, const float* weight, float eps, std::size_t n);
  void (*gelu_multiply)(float* out, const float* gate, const float* up, std::size_t n);
  void (*softcap)(float* x, float cap, std::size_t n);
  void (*softmax)(float* x, std::size_t n);
  // out += factor * x
  void (*add_scaled)(float* out, const float* x, float factor, std::size_t n);
  // By ggml's type id; unpack is null where a format isn't one of 8 bits or fewer.
  UnpackedForm (*form_of)(std::uint32_t type);
};

extern const Kernels kPortableKernels;
#ifdef __x86_64__
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;  // F, BW, DQ, VL
#endif

// Those that this processor can run, the best last; "portable" is always among them.
std::vector<const Kernels*> usable_kernels();

}  // namespace gpqa
