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
  Int16 all;
  for (std::size_t i = 0; i < kParts; ++i) all.at[i] = __builtin_convertvector(whole.at[i], Ints);
  return all;
}
static inline std::int32_t sum_of(const Int16& v) {
  return in_halves(v, [](const Ints& a, const Ints& b) { return a + b; });
}

// As integers of 16 and of 8 bits, into which they fit.
static inline Short16 narrowed(const Int16& v) {
#if defined(__AVX512BW__)
  return (Short16)_mm512_cvtepi32_epi16((__m512i)v.at[0]);
#elif defined(__AVX2__)  // packed in halves of registers: 0 1, 2 3 become 0 2, 1 3
  const __m256i packed = _mm256_packs_epi32((__m256i)v.at[0], (__m256i)v.at[1]);
  return (Short16)_mm256_permute4x64_epi64(packed, 0b11'01'10'00);
#elif defined(__ARM_NEON)
  const int16x8_t both[2] = {vmovn_high_s32(vmovn_s32(v.at[0]), v.at[1]),
                             vmovn_high_s32(vmovn_s32(v.at[2]), v.at[3])};
  return load<Short16>(both);
#else
  std::int16_t lanes[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = static_cast<std::int16_t>(v.at[i / kWide][i % kWide]);
  return load<Short16>(lanes);
#endif
}
static inline Char16 to_bytes(const Int16& v) {
  const Short16 words = narrowed(v);
#if defined(__AVX2__)
  const auto both = (__m256i)words;
  return (Char16)_mm_packs_epi16(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
#elif defined(__ARM_NEON)
  const auto* half = reinterpret_cast<const std::int16_t*>(&words);
  return (Char16)vmovn_high_s16(vmovn_s16(vld1q_s16(half)), vld1q_s16(half + 8));
#else
  return __builtin_convertvector(words, Char16);
#endif
}
template <std::size_t... I>
static inline Ints middle_swapped(const Ints& v, std::index_sequence<I...>) {
  return __builtin_shufflevector(v, v, (I % 4 == 1 ? I + 1 : I % 4 == 2 ? I - 1 : I)...);
}
// As WordRow has them: of each four columns the first, the third, the second and the fourth.
static inline Short16 to_words(const Int16& v) {
  Int16 ordered;
  for (std::size_t i = 0; i < kParts; ++i)
    ordered.at[i] = middle_swapped(v.at[i], std::make_index_sequence<kWide>());
  return narrowed(ordered);
}

static void quantize_words(const float* x, std::size_t width, WordRow out) {
  constexpr float kMost = 32767.0F;
  for (std::size_t first = 0; first < width; first += kPanelWidth) {
    const std::size_t end = first + kPanelWidth < width ? first + kPanelWidth : width;
    Float16 most16{};
    for (std::size_t k = first; k < end; k += kLanes) {
      most16 = larger_of(most16, size_of(load16(x + k)));
    }
    const float most = largest(most16);
    out.scales[first / kPanelWidth] = most / kMost;
    for (std::size_t k = first; k < end; k += kLanes) {
      const Int16 values = rounded(load16(x + k), factor_for(most, kMost));
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
    const auto from = load16(x + b * kQuantBlock);
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
