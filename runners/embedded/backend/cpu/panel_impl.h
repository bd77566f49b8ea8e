// The matrix products' inner loops: included once for each instruction set, in a namespace of its own, after
// kernels_impl.h. Vectors are as wide as the instruction set's registers; a tile's line of sixteen rows is
// one of them, or two, or four. Products and sums are spelt by fused(): were they left to the compiler, it
// could round them differently for one token and for eight. NOLINTBEGIN(misc-definitions-in-headers)

#if defined(__AVX512BW__)
constexpr std::size_t kWide = 16;
#elif defined(__AVX2__)
constexpr std::size_t kWide = 8;
#else
constexpr std::size_t kWide = 4;
#endif
constexpr std::size_t kLine = 64;                  // bytes
constexpr std::size_t kParts = kTileRows / kWide;  // registers a line
constexpr std::size_t kRegister = kLine / kParts;  // bytes
using Floats = float __attribute__((vector_size(kRegister)));
using Ints = std::int32_t __attribute__((vector_size(kRegister)));
using Uints = std::uint32_t __attribute__((vector_size(kRegister)));
using Words = std::uint16_t __attribute__((vector_size(kRegister)));

template <class Vector>
static inline void put(void* to, const Vector& v) {
  __builtin_memcpy(to, &v, sizeof v);
}

static inline Floats fused(const Floats& a, const Floats& b, const Floats& c) {
#if defined(__AVX512BW__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;  // compiled without contraction
#endif
}

// sums + w[2i] * x[2i] + w[2i + 1] * x[2i + 1], of 16 bits
static inline Ints add_pairs(const Ints& sums, const Ints& w, const Ints& x) {
#if defined(__AVX512VNNI__)
  return (Ints)_mm512_dpwssd_epi32((__m512i)sums, (__m512i)w, (__m512i)x);
#elif defined(__AVX512BW__)
  return sums + (Ints)_mm512_madd_epi16((__m512i)w, (__m512i)x);
#elif defined(__AVX2__)
  return sums + (Ints)_mm256_madd_epi16((__m256i)w, (__m256i)x);
#elif defined(__SSE2__)
  return sums + (Ints)_mm_madd_epi16((__m128i)w, (__m128i)x);
#else
  return sums + ((w << 16) >> 16) * ((x << 16) >> 16) + (w >> 16) * (x >> 16);
#endif
}

static inline Floats spread(float x) {
#if defined(__AVX512BW__)
  return _mm512_set1_ps(x);
#elif defined(__AVX2__)
  return _mm256_set1_ps(x);
#else
  return Floats{x, x, x, x};
#endif
}
static inline Ints spread(std::int32_t x) {
#if defined(__AVX512BW__)
  return (Ints)_mm512_set1_epi32(x);
#elif defined(__AVX2__)
  return (Ints)_mm256_set1_epi32(x);
#else
  return Ints{x, x, x, x};
#endif
}
// Two values of 16 bits, or four of 8, in each lane.
static inline Ints spread_bits(const void* from) {
  std::int32_t bits;
  __builtin_memcpy(&bits, from, sizeof bits);
  return spread(bits);
}
static inline Floats to_floats(const Ints& x) {
  return __builtin_convertvector(x, Floats);
}

// kWide float16
static inline Floats halves(const std::byte* at) {
#if defined(__AVX512BW__)
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
#elif defined(__AVX2__)
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
#else
  Floats v;
  for (std::size_t i = 0; i < kWide; ++i) v[i] = half(at + 2 * i);
  return v;
#endif
}

// kWide integers of 8 and of 16 bits. Spelt out: GCC 12 converts such vectors one number at a time.
static inline Ints signed_bytes(const std::byte* at) {
#if defined(__AVX512BW__)
  return (Ints)_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
#elif defined(__AVX2__)
  return (Ints)_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at)));
#else
  Ints v;
  for (std::size_t i = 0; i < kWide; ++i) v[i] = static_cast<std::int8_t>(at[i]);
  return v;
#endif
}
static inline Ints unsigned_words(const std::byte* at) {
#if defined(__AVX512BW__)
  return (Ints)_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
#elif defined(__AVX2__)
  return (Ints)_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
#else
  Ints v;
  for (std::size_t i = 0; i < kWide; ++i)
    v[i] = static_cast<int>(at[2 * i]) | static_cast<int>(at[2 * i + 1]) << 8;
  return v;
#endif
}

// ---- A tile's integers, a group of four columns at a time: take(group, part, bytes).

template <class Take>
static inline void for_parts(const Take& take) {
  for (std::size_t part = 0; part < kParts; ++part) take(part);
}
static inline Words line_part(const std::byte* values, std::size_t line, std::size_t part) {
  return load<Words>(values + line * kLine + part * kRegister);
}
static inline Words low_halves(const Words& bytes) {
  return bytes & 0x0F0F;
}
static inline Words high_halves(const Words& bytes) {
  return (bytes >> 4) & 0x0F0F;
}

template <class Take>
static inline void groups_8(const std::byte* values, std::size_t first, const Take& take) {
  for (std::size_t g = 0; g < 8; ++g)
    for_parts([&](std::size_t part) { take(first + g, part, line_part(values, g, part)); });
}
template <class Take>
static inline void groups_4(const std::byte* values, std::size_t first, const Take& take) {
  for (std::size_t i = 0; i < 4; ++i)
    for_parts([&](std::size_t part) {
      const Words both = line_part(values, i, part);
      take(first + 2 * i, part, low_halves(both));
      take(first + 2 * i + 1, part, high_halves(both));
    });
}
// A fifth bit for each: bit g of the fifth line's bytes.
template <class Take>
static inline void groups_5(const std::byte* values, std::size_t first, const Take& take) {
  groups_4(values, 0, [&](std::size_t g, std::size_t part, const Words& low) {
    const Words bits = line_part(values, 4, part);
    const auto shift = static_cast<int>(g);
    take(first + g, part, low | ((shift < 4 ? bits << (4 - shift) : bits >> (shift - 4)) & 0x1010));
  });
}
// Sixteen columns; fifth and sixth bits of all four groups in the third line.
template <class Take>
static inline void groups_6(const std::byte* values, std::size_t first, const Take& take) {
  for_parts([&](std::size_t part) {
    const Words a = line_part(values, 0, part);
    const Words b = line_part(values, 1, part);
    const Words high = line_part(values, 2, part);
    take(first, part, low_halves(a) | ((high << 4) & 0x3030));
    take(first + 1, part, high_halves(a) | ((high << 2) & 0x3030));
    take(first + 2, part, low_halves(b) | (high & 0x3030));
    take(first + 3, part, high_halves(b) | ((high >> 2) & 0x3030));
  });
}

// ---- Scales, for each sixteen columns.

static inline void scales_of_block(const std::byte* scales, std::size_t block, Panel& panel) {  // 32 columns
  for_parts([&](std::size_t part) {
    const Floats d = halves(scales + part * kWide * 2);
    put(panel.scales + 2 * block * kTileRows + part * kWide, d);
    put(panel.scales + (2 * block + 1) * kTileRows + part * kWide, d);
  });
}

static inline void scales_6_k(const std::byte* scales, Panel& panel) {
  for_parts([&](std::size_t part) {
    const Floats d = halves(scales + 16 * kTileRows + part * kWide * 2);
    for (std::size_t j = 0; j < 16; ++j)
      put(panel.scales + j * kTileRows + part * kWide,
          d * to_floats(signed_bytes(scales + j * kTileRows + part * kWide)));
  });
}

// Eight scales and eight minimums of six bits each, in three words a row: four low ones, four low ones, and
// the others' low four bits, whose high two sit above the first eight.
static inline void scales_k(const std::byte* scales, Panel& panel) {
  for_parts([&](std::size_t part) {
    const std::size_t row = part * kWide;
    const Floats d = halves(scales + row * 2);
    const Floats least = halves(scales + (kTileRows + row) * 2);
    const auto word = [&](std::size_t i) {
      return load<Uints>(scales + 4 * kTileRows + (i * kTileRows + row) * 4);
    };
    const Uints sixes[2][2] = {
        {word(0) & 0x3F3F3F3F, (word(2) & 0x0F0F0F0F) | ((word(0) >> 2) & 0x30303030)},
        {word(1) & 0x3F3F3F3F, ((word(2) >> 4) & 0x0F0F0F0F) | ((word(1) >> 2) & 0x30303030)}};
    for (std::size_t j = 0; j < 8; ++j) {
      const auto six = [&](std::size_t which) {
        return to_floats((Ints)((sixes[which][j / 4] >> static_cast<int>(8 * (j % 4))) & 0xFF));
      };
      const Floats scale = d * six(0);
      put(panel.scales + 2 * j * kTileRows + row, scale);
      put(panel.scales + (2 * j + 1) * kTileRows + row, scale);
      put(panel.minimums + j * kTileRows + row, least * six(1));
    }
  });
}

// ---- Panels.

// Columns [first, first + width) of a tile whose rows are `row_width` wide.
template <class Take>
static inline void unpack(std::uint32_t type, const std::byte* tile, std::size_t row_width, std::size_t first,
                          std::size_t width, Panel& panel, const Take& take) {
  // Bytes of one row: of the integers of `columns`, of all integers, of a block's scales.
  const auto each_32 = [&](std::size_t integer_bytes, std::size_t scale_bytes, const auto& groups) {
    const std::byte* values = tile + first / 32 * integer_bytes * kTileRows;
    const std::byte* scales = tile + (row_width / 32 * integer_bytes + first / 32 * scale_bytes) * kTileRows;
    for (std::size_t b = 0; b < width / 32; ++b) {
      if (scale_bytes != 0) scales_of_block(scales + b * scale_bytes * kTileRows, b, panel);
      groups(values + b * integer_bytes * kTileRows, 8 * b, take);
    }
  };
  const auto k_scales_at = [&](std::size_t integer_bytes, std::size_t scale_bytes) {
    return tile + (row_width / 256 * integer_bytes + first / 256 * scale_bytes) * kTileRows;
  };
  switch (type) {  // ggml's ids: packed_matrix.cpp
    case 2:
      return each_32(16, 2, [](auto... all) { groups_4(all...); });
    case 6:
      return each_32(20, 2, [](auto... all) { groups_5(all...); });
    case 8:
      return each_32(32, 2, [](auto... all) { groups_8(all...); });
    case 12:
      scales_k(k_scales_at(128, 16), panel);
      return each_32(16, 0, [](auto... all) { groups_4(all...); });
    case 13:
      scales_k(k_scales_at(160, 16), panel);
      return each_32(20, 0, [](auto... all) { groups_5(all...); });
    default: {
      scales_6_k(k_scales_at(192, 18), panel);
      const std::byte* values = tile + first / 16 * 12 * kTileRows;
      for (std::size_t j = 0; j < 16; ++j) groups_6(values + j * 12 * kTileRows, 4 * j, take);
    }
  }
}

static inline Words offset_of(std::uint32_t type) {
  const auto offset = static_cast<std::uint16_t>(type == 8    ? 128
                                                 : type == 14 ? 32
                                                 : type == 6  ? 16
                                                 : type == 2  ? 8
                                                              : 0);
  return Words{} + offset;
}

static void unpack_words(std::uint32_t type, const std::byte* tile, std::size_t row_width, std::size_t first,
                         std::size_t width, Panel& panel) {
  const Words offset = offset_of(type);
  auto* words = reinterpret_cast<std::byte*>(panel.words);
  unpack(type, tile, row_width, first, width, panel,
         [&](std::size_t group, std::size_t part, const Words& four) {
           put(words + 2 * group * kLine + part * kRegister, (four & 0xFF) - offset);
           put(words + (2 * group + 1) * kLine + part * kRegister, (four >> 8) - offset);
         });
}

static void unpack_floats(std::uint32_t type, const std::byte* tile, std::size_t row_width, std::size_t first,
                          std::size_t width, Panel& panel) {
  const auto each = [&](std::size_t bytes, const auto& read) {
    for (std::size_t k = 0; k < width; ++k)
      for_parts([&](std::size_t part) {
        put(panel.floats + k * kTileRows + part * kWide,
            read(tile + ((first + k) * kTileRows + part * kWide) * bytes));
      });
  };
  if (type == 0) return each(4, [](const std::byte* at) { return load<Floats>(at); });
  if (type == 1) return each(2, [](const std::byte* at) { return halves(at); });
  if (type == 30) return each(2, [](const std::byte* at) { return (Floats)(unsigned_words(at) << 16); });
  const bool minimums = type == 12 || type == 13;
  const Ints offset = spread(static_cast<std::int32_t>(offset_of(type)[0]));
  unpack(type, tile, row_width, first, width, panel,
         [&](std::size_t group, std::size_t part, const Words& four) {
           const std::size_t row = part * kWide;
           const Floats scale = load<Floats>(panel.scales + group / 4 * kTileRows + row);
           for (std::size_t j = 0; j < 4; ++j) {
             const Ints integer = (Ints)(((Uints)four >> static_cast<int>(8 * j)) & 0xFF) - offset;
             Floats value = to_floats(integer) * scale;
             if (minimums) value = value - load<Floats>(panel.minimums + group / 8 * kTileRows + row);
             put(panel.floats + (4 * group + j) * kTileRows + row, value);
           }
         });
}

// ---- Products. T tokens at once: what is loaded of the panel serves them all.

template <std::size_t T, bool Minimums>
static inline void add_words(const Panel& panel, std::size_t width, const WordRow* tokens, float* sums) {
  const auto* words = reinterpret_cast<const std::byte*>(panel.words);
  for (std::size_t part = 0; part < kParts; ++part) {
    const std::size_t row = part * kWide;
    Floats totals[T] = {};
    for (std::size_t b = 0; b < width / 16; ++b) {
      Ints products[T] = {};
      for (std::size_t pair = 0; pair < 8; ++pair) {
        const auto w = load<Ints>(words + (b * 8 + pair) * kLine + part * kRegister);
        for (std::size_t t = 0; t < T; ++t)
          products[t] = add_pairs(products[t], w, spread_bits(tokens[t].values + b * 16 + pair * 2));
      }
      const auto scale = load<Floats>(panel.scales + b * kTileRows + row);
      for (std::size_t t = 0; t < T; ++t) totals[t] = fused(to_floats(products[t]), scale, totals[t]);
    }
    if constexpr (Minimums)
      for (std::size_t b = 0; b < width / 32; ++b) {
        const auto minimum = load<Floats>(panel.minimums + b * kTileRows + row);
        for (std::size_t t = 0; t < T; ++t) totals[t] = fused(minimum, spread(-tokens[t].sums[b]), totals[t]);
      }
    for (std::size_t t = 0; t < T; ++t) {
      float* to = sums + t * kTileRows + row;
      put(to, fused(totals[t], spread(tokens[t].scales[0]), load<Floats>(to)));
    }
  }
}

template <std::size_t T>
static inline void add_floats(const Panel& panel, std::size_t width, const float* const* tokens,
                              float* sums) {
  for (std::size_t part = 0; part < kParts; ++part) {
    const std::size_t row = part * kWide;
    // Even and odd columns apart: two short chains, and smaller sums to round.
    Floats even[T] = {};
    Floats odd[T] = {};
    std::size_t k = 0;
    for (; k + 2 <= width; k += 2) {
      const auto first = load<Floats>(panel.floats + k * kTileRows + row);
      const auto second = load<Floats>(panel.floats + (k + 1) * kTileRows + row);
      for (std::size_t t = 0; t < T; ++t) {
        even[t] = fused(first, spread(tokens[t][k]), even[t]);
        odd[t] = fused(second, spread(tokens[t][k + 1]), odd[t]);
      }
    }
    if (k < width) {
      const auto last = load<Floats>(panel.floats + k * kTileRows + row);
      for (std::size_t t = 0; t < T; ++t) even[t] = fused(last, spread(tokens[t][k]), even[t]);
    }
    for (std::size_t t = 0; t < T; ++t) {
      float* to = sums + t * kTileRows + row;
      put(to, load<Floats>(to) + (even[t] + odd[t]));
    }
  }
}

// Step(T) for as many tokens at a time as registers hold: of(integral_constant<T>, first token).
template <class Of>
static inline void in_groups(std::size_t count, const Of& of) {
  std::size_t t = 0;
  if constexpr (kWide == 16)
    for (; t + 8 <= count; t += 8) of(std::integral_constant<std::size_t, 8>(), t);
  for (; t + 4 <= count; t += 4) of(std::integral_constant<std::size_t, 4>(), t);
  for (; t + 2 <= count; t += 2) of(std::integral_constant<std::size_t, 2>(), t);
  for (; t < count; ++t) of(std::integral_constant<std::size_t, 1>(), t);
}

static void multiply_words(const Panel& panel, bool minimums, std::size_t width, const WordRow* tokens,
                           std::size_t count, float* sums) {
  in_groups(count, [&](auto size, std::size_t t) {
    if (minimums)
      add_words<size, true>(panel, width, tokens + t, sums + t * kTileRows);
    else
      add_words<size, false>(panel, width, tokens + t, sums + t * kTileRows);
  });
}
static void multiply_floats(const Panel& panel, std::size_t width, const float* const* tokens,
                            std::size_t count, float* sums) {
  in_groups(count, [&](auto size, std::size_t t) {
    add_floats<size>(panel, width, tokens + t, sums + t * kTileRows);
  });
}
// ---- Activations.

// What the largest is multiplied with to become `whole`: 0 where all are too small to matter.
static inline float factor_for(float most, float whole) {
  return most > 1e-30F ? whole / most : 0.0F;
}
// The nearest integers to x * factor, at most 2^22 in size.
static inline Int16 rounded(const Float16& x, float factor) {
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23; ties to even
  const Float16 biased = x * factor + kRounder;
  return __builtin_convertvector(biased - kRounder, Int16);
}
static inline std::int32_t sum_of(const Int16& v) {
  std::int32_t lanes[kLanes];
  __builtin_memcpy(lanes, &v, sizeof lanes);
  std::int32_t sum = 0;
  for (const std::int32_t lane : lanes) sum += lane;
  return sum;
}

static void quantize_words(const float* x, std::size_t width, WordRow out) {
  constexpr float kMost = 32767.0F;
  for (std::size_t first = 0; first < width; first += kPanelWidth) {
    const std::size_t end = first + kPanelWidth < width ? first + kPanelWidth : width;
    Float16 most16{};
    for (std::size_t k = first; k < end; k += kLanes) {
      const auto v = load<Float16>(x + k);
      const Float16 size = v < 0.0F ? -v : v;
      most16 = size > most16 ? size : most16;
    }
    const float most = largest(most16);
    out.scales[first / kPanelWidth] = most / kMost;
    for (std::size_t k = first; k < end; k += kLanes) {
      const Int16 values = rounded(load<Float16>(x + k), factor_for(most, kMost));
      const Int16 pairs =
          __builtin_shufflevector(values, values, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
      const Short16 words = __builtin_convertvector(pairs, Short16);
      __builtin_memcpy(out.values + k, &words, sizeof words);
      const auto sum = static_cast<float>(sum_of(values));
      out.sums[k / 32] = k % 32 == 0 ? sum : out.sums[k / 32] + sum;
    }
  }
}

// ---- At 8 bits: where an instruction takes four products at a time.

#if defined(__AVX512VNNI__)
static void unpack_bytes(std::uint32_t type, const std::byte* tile, std::size_t row_width, std::size_t first,
                         std::size_t width, Panel& panel) {
  unpack(type, tile, row_width, first, width, panel,
         [&](std::size_t group, std::size_t part, const Words& four) {
           put(panel.bytes + group * kLine + part * kRegister, four);
         });
}

static inline Ints add_fours(const Ints& sums, const Ints& w, const Ints& x) {
  return (Ints)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)w, (__m512i)x);
}

template <std::size_t T, bool Minimums>
static inline void add_bytes(const Panel& panel, std::size_t width, const ByteBlock* const* tokens,
                             float* sums) {
  static_assert(kParts == 1);
  const ByteBlock* blocks[T];
  Floats totals[T];
  for (std::size_t t = 0; t < T; ++t) {
    blocks[t] = tokens[t];
    totals[t] = load<Floats>(sums + t * kTileRows);
  }
  for (std::size_t b = 0; b < width / kQuantBlock; ++b) {
    Ints products[T];
    for (std::size_t t = 0; t < T; ++t) products[t] = spread(blocks[t][b].start);
    for (std::size_t four = 0; four < 4; ++four) {
      const auto w = load<Ints>(panel.bytes + (b * 4 + four) * kLine);
      for (std::size_t t = 0; t < T; ++t)
        products[t] = add_fours(products[t], w, spread_bits(blocks[t][b].values + four * 4));
    }
    const auto scale = load<Floats>(panel.scales + b * kTileRows);
    for (std::size_t t = 0; t < T; ++t)
      totals[t] = fused(to_floats(products[t]), scale * spread(blocks[t][b].scale), totals[t]);
    if constexpr (Minimums) {
      const auto minimum = load<Floats>(panel.minimums + b / 2 * kTileRows);
      for (std::size_t t = 0; t < T; ++t) totals[t] = fused(minimum, spread(-blocks[t][b].sum), totals[t]);
    }
  }
  for (std::size_t t = 0; t < T; ++t) put(sums + t * kTileRows, totals[t]);
}

static void multiply_bytes(const Panel& panel, bool minimums, std::size_t width,
                           const ByteBlock* const* tokens, std::size_t count, float* sums) {
  in_groups(count, [&](auto size, std::size_t t) {
    if (minimums)
      add_bytes<size, true>(panel, width, tokens + t, sums + t * kTileRows);
    else
      add_bytes<size, false>(panel, width, tokens + t, sums + t * kTileRows);
  });
}
static void quantize_bytes(const float* x, std::size_t width, int offset, ByteBlock* out) {
  for (std::size_t b = 0; b < width / kQuantBlock; ++b) {
    const auto from = load<Float16>(x + b * kQuantBlock);
    const float most = largest(from < 0.0F ? -from : from);
    const Int16 values = rounded(from, factor_for(most, 127.0F));
    const Char16 bytes = __builtin_convertvector(values, Char16);
    const std::int32_t sum = sum_of(values);
    ByteBlock& block = out[b];
    __builtin_memcpy(block.values, &bytes, sizeof bytes);
    block.scale = most / 127.0F;
    block.start = -offset * sum;
    block.sum = block.scale * static_cast<float>(sum);
  }
}
#endif

static constexpr PanelKernels make_panel_kernels() {
  PanelKernels kernels{};
  kernels.unpack_words = &unpack_words;
  kernels.unpack_floats = &unpack_floats;
  kernels.multiply_words = &multiply_words;
  kernels.multiply_floats = &multiply_floats;
  kernels.quantize_words = &quantize_words;
  kernels.unpack_bytes = nullptr;
  kernels.multiply_bytes = nullptr;
  kernels.quantize_bytes = nullptr;
#if defined(__AVX512VNNI__)
  kernels.unpack_bytes = &unpack_bytes;
  kernels.multiply_bytes = &multiply_bytes;
  kernels.quantize_bytes = &quantize_bytes;
#endif
  return kernels;
}

static constexpr Kernels make_kernels(std::string_view name) {
  return {name, &dot, &rms_norm, &gelu_multiply, &softcap, &softmax, &add_scaled, make_panel_kernels()};
}

// NOLINTEND(misc-definitions-in-headers)
