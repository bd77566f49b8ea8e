// A tile's lines (packed_matrix.h) as registers, of which a line of sixteen rows is one, or two, or four
// parts: included once for each instruction set, in a namespace of its own, after lanes_impl.h.
//
// Products and sums are spelt by fused(): were they left to the compiler, it could round them differently for
// one token and for eight.
// NOLINTBEGIN(misc-definitions-in-headers)

static inline Floats fused(const Floats& a, const Floats& b, const Floats& c) {
#if defined(__AVX512BW__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__ARM_NEON)
  return vfmaq_f32(c, a, b);
#else
  return a * b + c;  // compiled without contraction
#endif
}

// Keeps a sum where it is written: left alone, GCC gathers a block's additions behind all of its products,
// and has no registers for so many.
static inline Ints added(Ints sum) {
#if defined(__AVX512BW__)
  asm("" : "+v"(sum));
#elif defined(__SSE2__)
  asm("" : "+x"(sum));
#endif
  return sum;
}

// sums + w[2i] * x[2i] + w[2i + 1] * x[2i + 1], of 16 bits; on ARM sums + w[i] * x[0] + w[i + 4] * x[1].
static inline Ints add_pairs(const Ints& sums, const Ints& w, const Ints& x) {
#if defined(__AVX512VNNI__)
  return (Ints)_mm512_dpwssd_epi32((__m512i)sums, (__m512i)w, (__m512i)x);
#elif defined(__AVX512BW__)
  return added(sums + (Ints)_mm512_madd_epi16((__m512i)w, (__m512i)x));
#elif defined(__AVXVNNI__)
  return (Ints)_mm256_dpwssd_avx_epi32((__m256i)sums, (__m256i)w, (__m256i)x);
#elif defined(__AVX2__)
  return added(sums + (Ints)_mm256_madd_epi16((__m256i)w, (__m256i)x));
#elif defined(__SSE2__)
  return added(sums + (Ints)_mm_madd_epi16((__m128i)w, (__m128i)x));
#elif defined(__ARM_NEON)
  const auto words = (int16x8_t)w;
  const int16x4_t pair = vget_low_s16((int16x8_t)x);
  return vmlal_high_lane_s16(vmlal_lane_s16(sums, vget_low_s16(words), pair, 0), words, pair, 1);
#else
  return sums + ((w << 16) >> 16) * ((x << 16) >> 16) + (w >> 16) * (x >> 16);
#endif
}

// Two values of 16 bits, or four of 8, in each lane; on ARM in the first one, from which its instructions
// spread them.
static inline Ints spread_bits(const void* from) {
  std::int32_t bits;
  __builtin_memcpy(&bits, from, sizeof bits);
#if defined(__ARM_NEON)
  return vcombine_s32(int32x2_t{bits, 0}, int32x2_t{});
#else
  return spread(bits);
#endif
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
#elif defined(__ARM_NEON)
  return vcvt_f32_f16(load<float16x4_t>(at));
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
#elif defined(__ARM_NEON)
  return vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(load<std::uint32_t>(at)))));
#else
  Ints v;
  for (std::size_t i = 0; i < kWide; ++i) v[i] = (static_cast<int>(at[i]) ^ 128) - 128;
  return v;
#endif
}
static inline Ints unsigned_words(const std::byte* at) {
#if defined(__AVX512BW__)
  return (Ints)_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
#elif defined(__AVX2__)
  return (Ints)_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
#elif defined(__ARM_NEON)
  return (Ints)vmovl_u16(load<uint16x4_t>(at));
#else
  Ints v;
  for (std::size_t i = 0; i < kWide; ++i)
    v[i] = static_cast<int>(at[2 * i]) | static_cast<int>(at[2 * i + 1]) << 8;
  return v;
#endif
}

// Memory answers after some hundred lines' worth of work, and a core waits for few lines at a time: who reads
// asks for what comes next, far ahead to the second cache, then to the nearest. Always inlined: a function
// that does nothing else has no effect in GCC's eyes, and its calls are dropped.
constexpr std::size_t kNear = 1024;
constexpr std::size_t kFar = 4096;
__attribute__((always_inline)) static inline void ask_ahead(const std::byte* at) {
  __builtin_prefetch(at + kNear, 0, 3);
  __builtin_prefetch(at + kFar, 0, 2);
}

// ---- A tile's integers, a group of four columns at a time, one part of the rows: take(group, bytes).

// Where they begin. Tiles lie one after the other: what comes after a tile's end is the next one.
struct Lines {
  const std::byte* at;
  bool ask;  // false where others have asked
  Lines operator+(std::size_t bytes) const { return {at + bytes, ask}; }
};

static inline Words line_part(const Lines& lines, std::size_t line, std::size_t part) {
  const std::size_t byte = line * kLine + part * kRegister;
  if (lines.ask) ask_ahead(lines.at + byte);
  return load<Words>(lines.at + byte);
}
static inline Words low_halves(const Words& bytes) {
  return bytes & 0x0F0F;
}
static inline Words high_halves(const Words& bytes) {
  return (bytes >> 4) & 0x0F0F;
}

template <class Take>
static inline void groups_8(const Lines& values, std::size_t first, std::size_t part, const Take& take) {
#pragma GCC unroll 8
  for (std::size_t g = 0; g < 8; ++g) take(first + g, line_part(values, g, part));
}
template <class Take>
static inline void groups_4(const Lines& values, std::size_t first, std::size_t part, const Take& take) {
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const Words both = line_part(values, i, part);
    take(first + 2 * i, low_halves(both));
    take(first + 2 * i + 1, high_halves(both));
  }
}
// A fifth bit for each: bit g of the fifth line's bytes.
template <class Take>
static inline void groups_5(const Lines& values, std::size_t first, std::size_t part, const Take& take) {
  const Words bits = line_part(values, 4, part);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 4; ++i) {
    const Words both = line_part(values, i, part);
    const auto bit = [&](std::size_t g) {
      const auto shift = static_cast<int>(g);
      return (shift < 4 ? bits << (4 - shift) : bits >> (shift - 4)) & 0x1010;
    };
    take(first + 2 * i, low_halves(both) | bit(2 * i));
    take(first + 2 * i + 1, high_halves(both) | bit(2 * i + 1));
  }
}
// Sixteen columns; fifth and sixth bits of all four groups in the third line.
template <class Take>
static inline void groups_6(const Lines& values, std::size_t first, std::size_t part, const Take& take) {
  const Words a = line_part(values, 0, part);
  const Words b = line_part(values, 1, part);
  const Words high = line_part(values, 2, part);
  take(first, low_halves(a) | ((high << 4) & 0x3030));
  take(first + 1, high_halves(a) | ((high << 2) & 0x3030));
  take(first + 2, low_halves(b) | (high & 0x3030));
  take(first + 3, high_halves(b) | ((high >> 2) & 0x3030));
}

// ---- The block formats, by ggml's ids.

// of(integral_constant<type>): what a type decides is decided once, outside of the loops.
template <class Of>
static inline void for_type(std::uint32_t type, const Of& of) {
  switch (type) {
    case 2:
      return of(std::integral_constant<std::uint32_t, 2>());
    case 6:
      return of(std::integral_constant<std::uint32_t, 6>());
    case 8:
      return of(std::integral_constant<std::uint32_t, 8>());
    case 12:
      return of(std::integral_constant<std::uint32_t, 12>());
    case 13:
      return of(std::integral_constant<std::uint32_t, 13>());
    default:
      return of(std::integral_constant<std::uint32_t, 14>());
  }
}
// Bytes of one row's integers, for 256 columns.
static constexpr std::size_t integer_bytes_of(std::uint32_t type) {
  return type == 8 ? 256 : type == 6 || type == 13 ? 160 : type == 14 ? 192 : 128;
}
static constexpr bool minimums_of(std::uint32_t type) {
  return type == 12 || type == 13;
}
// What the integers in a tile have too much.
static constexpr std::uint16_t added_to(std::uint32_t type) {
  return type == 8 ? 128 : type == 14 ? 32 : type == 6 ? 16 : type == 2 ? 8 : 0;
}
static inline Words offset_of(std::uint32_t type) {
  return Words{} + added_to(type);
}

// Where the panel of columns from `first` on, `width` of them, lies in a tile.
struct Place {
  const std::byte* factors;  // Q6_K's float16
  Lines scales;
  Lines integers;
};
template <std::uint32_t Type>
static inline Place place_of(const std::byte* tile, std::size_t row_width, std::size_t first,
                             std::size_t width, bool ask) {
  constexpr std::size_t kIntegers = integer_bytes_of(Type) * kTileRows / 8;  // of 32 columns
  constexpr std::size_t kScales = 2 * kTileRows;                             // likewise
  const std::byte* panels = tile;
  if constexpr (Type == 14) panels += (row_width / 256 * 2 * kTileRows + kLine - 1) / kLine * kLine;
  const Lines panel{panels + first / 32 * (kIntegers + kScales), ask};
  return {tile + first / 256 * 2 * kTileRows, panel, panel + width / 32 * kScales};
}

// The integers of a panel's columns.
template <std::uint32_t Type, class Take>
static inline void integers(const Place& place, std::size_t width, std::size_t part, const Take& take) {
  constexpr std::size_t kColumn = integer_bytes_of(Type) * kTileRows / 32;  // bytes of 8 columns
  if constexpr (Type == 14) {
    for (std::size_t k = 0; k < width; k += 16) groups_6(place.integers + k / 8 * kColumn, k / 4, part, take);
  } else {
    for (std::size_t k = 0; k < width; k += 32) {
      const Lines block = place.integers + k / 8 * kColumn;
      if constexpr (Type == 8)
        groups_8(block, k / 4, part, take);
      else if constexpr (Type == 6 || Type == 13)
        groups_5(block, k / 4, part, take);
      else
        groups_4(block, k / 4, part, take);
    }
  }
}

// ---- Scales, for each sixteen columns.

static inline void scales_of_block(const std::byte* scales, std::size_t block, Panel& panel) {  // 32 columns
  for (std::size_t part = 0; part < kParts; ++part) {
    const Floats d = halves(scales + part * kWide * 2);
    put(panel.scales + 2 * block * kTileRows + part * kWide, d);
    put(panel.scales + (2 * block + 1) * kTileRows + part * kWide, d);
  }
}

static inline void scales_6_k(const std::byte* factors, const std::byte* scales, Panel& panel) {
  for (std::size_t part = 0; part < kParts; ++part) {
    const Floats d = halves(factors + part * kWide * 2);
    for (std::size_t j = 0; j < 16; ++j)
      put(panel.scales + j * kTileRows + part * kWide,
          d * to_floats(signed_bytes(scales + j * kTileRows + part * kWide)));
  }
}

// Eight scales and eight minimums of six bits each, in three words a row: four low ones, four low ones, and
// the others' low four bits, whose high two sit above the first eight.
static inline void scales_k(const std::byte* scales, Panel& panel) {
  for (std::size_t part = 0; part < kParts; ++part) {
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
  }
}

template <std::uint32_t Type>
static inline void scales_of(const Place& place, std::size_t width, Panel& panel) {
  for (std::size_t line = 0; line < width / 64; ++line)
    if (place.scales.ask) ask_ahead(place.scales.at + line * kLine);
  if constexpr (Type == 14) {
    scales_6_k(place.factors, place.scales.at, panel);
  } else if constexpr (minimums_of(Type)) {
    scales_k(place.scales.at, panel);
  } else {
    for (std::size_t b = 0; b < width / 32; ++b)
      scales_of_block(place.scales.at + b * 2 * kTileRows, b, panel);
  }
}

// ---- What integers are multiplied with.

// The words of a group of four columns: columns 0 and 2, 1 and 3. Pairs side by side, but on ARM, where an
// instruction multiplies all rows with one activation, four rows of the one column before four of the other.
struct WordPair {
  Ints even, odd;
};
static inline WordPair words_of(const Words& four, const Words& offset) {
#if defined(__ARM_NEON)
  const uint8x16_t order = {0, 4, 8, 12, 2, 6, 10, 14, 1, 5, 9, 13, 3, 7, 11, 15};
  const uint8x16_t columns = vqtbl1q_u8((uint8x16_t)four, order);
  const auto offsets = (uint8x16_t)(offset | offset << 8);
  return {(Ints)vsubl_u8(vget_low_u8(columns), vget_low_u8(offsets)), (Ints)vsubl_high_u8(columns, offsets)};
#else
  return {(Ints)((four & 0xFF) - offset), (Ints)((four >> 8) - offset)};
#endif
}

// ---- At 8 bits, where a processor multiplies four of them faster than two words.

// Whether weights of this type are multiplied so. Without an instruction that adds four products, they are
// added in 16 bits: those of Q8_0's would be cut off.
static constexpr bool multiplies_bytes([[maybe_unused]] std::uint32_t type) {
#if defined(__AVX512VNNI__) || defined(__AVXVNNI__) || defined(__ARM_FEATURE_DOTPROD)
  return true;
#elif defined(GPQA_BYTES)
  return type != 8;
#else
  return false;
#endif
}

#ifdef GPQA_BYTES
#if defined(__ARM_NEON)
constexpr bool kSignedWeights = true;
#else
constexpr bool kSignedWeights = false;  // the instruction's; the activations are
#endif
// The integers of all formats but Q8_0 are the same as signed bytes. Q8_0's are with these bits flipped, and
// have nothing too much then.
static inline Words flipped_of(std::uint32_t type) {
  const auto bits = static_cast<std::uint16_t>(kSignedWeights && type == 8 ? 0x8080 : 0);
  return Words{} + bits;
}
static constexpr std::int32_t added_to_bytes(std::uint32_t type) {
  return kSignedWeights && type == 8 ? 0 : added_to(type);
}

// sums + the products of two groups' bytes and the block's activations from 8 * `pair` on.
static inline Ints add_eights(const Ints& sums, const Ints& a, const Ints& b, const ByteBlock& block,
                              std::size_t pair) {
#if defined(__ARM_NEON)
  const auto x = load<int8x16_t>(block.values);
  if (pair == 0)  // known when it is compiled
    return vdotq_laneq_s32(vdotq_laneq_s32(sums, (int8x16_t)a, x, 0), (int8x16_t)b, x, 1);
  return vdotq_laneq_s32(vdotq_laneq_s32(sums, (int8x16_t)a, x, 2), (int8x16_t)b, x, 3);
#else
  const Ints x = spread_bits(block.values + 8 * pair);
  const Ints y = spread_bits(block.values + 8 * pair + 4);
#if defined(__AVX512VNNI__)
  return (Ints)_mm512_dpbusd_epi32(_mm512_dpbusd_epi32((__m512i)sums, (__m512i)a, (__m512i)x), (__m512i)b,
                                   (__m512i)y);
#elif defined(__AVXVNNI__)
  return (Ints)_mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32((__m256i)sums, (__m256i)a, (__m256i)x),
                                       (__m256i)b, (__m256i)y);
#elif defined(__AVX512BW__)  // in 16 bits, at most 4 * 63 * 127: Q6_K's
  const __m512i sixteens = _mm512_add_epi16(_mm512_maddubs_epi16((__m512i)a, (__m512i)x),
                                            _mm512_maddubs_epi16((__m512i)b, (__m512i)y));
  return added(sums + (Ints)_mm512_madd_epi16(sixteens, _mm512_set1_epi16(1)));
#else
  const __m256i sixteens = _mm256_add_epi16(_mm256_maddubs_epi16((__m256i)a, (__m256i)x),
                                            _mm256_maddubs_epi16((__m256i)b, (__m256i)y));
  return added(sums + (Ints)_mm256_madd_epi16(sixteens, _mm256_set1_epi16(1)));
#endif
#endif
}
#endif

// NOLINTEND(misc-definitions-in-headers)
