// Activations as integers: included after tile_impl.h.
// NOLINTBEGIN(misc-definitions-in-headers)

// What the largest is multiplied with to become `whole`: 0 where all are too small to matter.
static inline float factor_for(float most, float whole) {
  return most > 1e-30F ? whole / most : 0.0F;
}
// The nearest integers to x * factor, at most 2^22 in size.
static inline Int16 rounded(const Float16& x, float factor) {
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23; ties to even
  const Float16 whole = (x * factor + kRounder) - kRounder;
#if defined(__ARM_NEON)
  const auto from = load<FloatQuarters>(&whole);
  IntQuarters to;
  for (std::size_t i = 0; i < 4; ++i) to.at[i] = vcvtq_s32_f32(from.at[i]);
  return load<Int16>(&to);
#else
  return __builtin_convertvector(whole, Int16);
#endif
}
static inline std::int32_t sum_of(const Int16& v) {
#if defined(__ARM_NEON)
  const auto x = load<IntQuarters>(&v);
  return vaddvq_s32(x.at[0] + x.at[1] + x.at[2] + x.at[3]);
#else
  return in_halves(v, [](const Int16& a, const Int16& b) { return a + b; });
#endif
}
static inline Char16 to_bytes(const Int16& v) {
#if defined(__ARM_NEON)
  const auto x = load<IntQuarters>(&v);
  const int16x8_t first = vmovn_high_s32(vmovn_s32(x.at[0]), x.at[1]);
  const int16x8_t second = vmovn_high_s32(vmovn_s32(x.at[2]), x.at[3]);
  return (Char16)vmovn_high_s16(vmovn_s16(first), second);
#else
  return __builtin_convertvector(v, Char16);
#endif
}
// As WordRow has them: of each four columns the first, the third, the second and the fourth.
static inline Short16 to_words(const Int16& v) {
#if defined(__ARM_NEON)
  const auto x = load<IntQuarters>(&v);
  const uint8x16_t order = {0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15};
  const auto words = [&](std::size_t i) {
    return vqtbl1q_u8((uint8x16_t)vmovn_high_s32(vmovn_s32(x.at[i]), x.at[i + 1]), order);
  };
  const uint8x16_t both[2] = {words(0), words(2)};
  return load<Short16>(both);
#else
  const Int16 pairs = __builtin_shufflevector(v, v, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  return __builtin_convertvector(pairs, Short16);
#endif
}

static void quantize_words(const float* x, std::size_t width, WordRow out) {
  constexpr float kMost = 32767.0F;
  for (std::size_t first = 0; first < width; first += kPanelWidth) {
    const std::size_t end = first + kPanelWidth < width ? first + kPanelWidth : width;
    Float16 most16{};
    for (std::size_t k = first; k < end; k += kLanes) {
      most16 = larger_of(most16, size_of(load<Float16>(x + k)));
    }
    const float most = largest(most16);
    out.scales[first / kPanelWidth] = most / kMost;
    for (std::size_t k = first; k < end; k += kLanes) {
      const Int16 values = rounded(load<Float16>(x + k), factor_for(most, kMost));
      const Short16 words = to_words(values);
      __builtin_memcpy(out.values + k, &words, sizeof words);
      const auto sum = static_cast<float>(sum_of(values));
      out.sums[k / 32] = k % 32 == 0 ? sum : out.sums[k / 32] + sum;
    }
  }
}

#ifdef GPQA_BYTES
static void quantize_bytes(const float* x, std::size_t width, std::uint32_t type, ByteBlock* out) {
  const std::int32_t offset = added_to_bytes(type);
  for (std::size_t b = 0; b < width / kQuantBlock; ++b) {
    const auto from = load<Float16>(x + b * kQuantBlock);
    const float most = largest(size_of(from));
    const Int16 values = rounded(from, factor_for(most, 127.0F));
    const Char16 bytes = to_bytes(values);
    const std::int32_t sum = sum_of(values);
    ByteBlock& block = out[b];
    __builtin_memcpy(block.values, &bytes, sizeof bytes);
    block.scale = most / 127.0F;
    block.start = -offset * sum;
    block.sum = block.scale * static_cast<float>(sum);
  }
}
#endif

// NOLINTEND(misc-definitions-in-headers)
