// All that a kernels_*.cpp compiles for its instruction set, in the order in which one part stands on
// another. Included in an anonymous namespace: nothing of it may be shared between two of them.
// NOLINTBEGIN(misc-definitions-in-headers)

// Products of bytes, where they are faster than those of words.
#if defined(__AVX2__) || defined(__ARM_FEATURE_DOTPROD)
#define GPQA_BYTES
#endif

// Each stands on those above it.
// clang-format off
#include "runners/embedded/backend/cpu/lanes_impl.h"
#include "runners/embedded/backend/cpu/kernels_impl.h"
#include "runners/embedded/backend/cpu/tile_impl.h"
#include "runners/embedded/backend/cpu/quantize_impl.h"
#include "runners/embedded/backend/cpu/panel_impl.h"
#include "runners/embedded/backend/cpu/stream_impl.h"
#include "runners/embedded/backend/cpu/attention_impl.h"
// clang-format on

static constexpr PanelKernels make_panel_kernels() {
  PanelKernels kernels{};
  kernels.few = kFewTokens;
  kernels.multiplies_bytes = &multiplies_bytes;
  kernels.stream_words = &stream_words;
  kernels.unpack_words = &unpack_words;
  kernels.unpack_floats = &unpack_floats;
  kernels.multiply_words = &multiply_words;
  kernels.multiply_floats = &multiply_floats;
  kernels.quantize_words = &quantize_words;
#ifdef GPQA_BYTES
  kernels.stream_bytes = &stream_bytes;
  kernels.unpack_bytes = &unpack_bytes;
  kernels.multiply_bytes = &multiply_bytes;
  kernels.quantize_bytes = &quantize_bytes;
#endif
  return kernels;
}

static constexpr Kernels make_kernels(std::string_view name) {
  return {name,
          &dot,
          &rms_norm,
          &gelu_multiply,
          &softcap,
          &softmax,
          &add_scaled,
          make_panel_kernels(),
          {kv_kernels<KvF32>(), kv_kernels<KvF16>(), kv_kernels<KvQ8>()}};
}

// NOLINTEND(misc-definitions-in-headers)
