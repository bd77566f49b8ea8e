// Attention's inner loops (kv_kernels.h): included once for each instruction set, after tile_impl.h.
// NOLINTBEGIN(misc-definitions-in-headers)

// The nearest float16.
static inline std::uint16_t to_half(float x) {
#if defined(__F16C__)
  return static_cast<std::uint16_t>(
      _mm_extract_epi16(_mm_cvtps_ph(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT), 0));
#elif defined(__ARM_NEON)
  return vget_lane_u16((uint16x4_t)vcvt_f16_f32(vdupq_n_f32(x)), 0);
#else
  std::uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  bits &= 0x7FFFFFFFU;
  if (bits > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);   // NaN
  if (bits >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // rounds to infinity
  if (bits < 0x38800000U) {  // subnormal: the bits above 2^-24 as float32 rounds them
    float size;
    __builtin_memcpy(&size, &bits, sizeof size);
    size += 0.5F;
    __builtin_memcpy(&bits, &size, sizeof bits);
    return static_cast<std::uint16_t>(sign | (bits - 0x3F000000U));
  }
  bits += 0xFFFU + ((bits >> 13) & 1U);
  return static_cast<std::uint16_t>(sign | ((bits - 0x38000000U) >> 13));
#endif
}

// ---- How each type is kept. keys(): 32 lines of a key block from dimension `first` on.

struct KvF32 {
  struct Keys {
    const std::byte* at;
    const std::byte* line(std::size_t i) const { return at + i * kTileRows * 4; }
    Floats operator()(std::size_t i) const { return load<Floats>(line(i)); }
  };
  static inline Keys keys(const std::byte* block, std::size_t first, std::size_t row) {
    return {block + (first * kTileRows + row) * 4};
  }
  static constexpr std::size_t kPartBytes = 4 * kValuePart;
  static inline Floats value(const std::byte* part, std::size_t first) {
    return load<Floats>(part + first * 4);
  }
  static void store_key(const float* key, std::size_t dim, std::byte* block, std::size_t lane) {
    for (std::size_t d = 0; d < dim; ++d) __builtin_memcpy(block + (d * kTileRows + lane) * 4, key + d, 4);
  }
  static inline void store_part(const float* value, std::size_t count, std::byte* part) {
    __builtin_memcpy(part, value, count * 4);
  }
};

struct KvF16 {
  struct Keys {
    const std::byte* at;
    const std::byte* line(std::size_t i) const { return at + i * kTileRows * 2; }
    Floats operator()(std::size_t i) const { return halves(line(i)); }
  };
  static inline Keys keys(const std::byte* block, std::size_t first, std::size_t row) {
    return {block + (first * kTileRows + row) * 2};
  }
  static constexpr std::size_t kPartBytes = 2 * kValuePart;
  static inline Floats value(const std::byte* part, std::size_t first) { return halves(part + first * 2); }
  static inline void put_half(std::byte* at, float x) {
    const std::uint16_t bits = to_half(x);
    __builtin_memcpy(at, &bits, sizeof bits);
  }
  static void store_key(const float* key, std::size_t dim, std::byte* block, std::size_t lane) {
    for (std::size_t d = 0; d < dim; ++d) put_half(block + (d * kTileRows + lane) * 2, key[d]);
  }
  static inline void store_part(const float* value, std::size_t count, std::byte* part) {
    for (std::size_t d = 0; d < count; ++d) put_half(part + d * 2, value[d]);
  }
};

struct KvQ8 {
  static constexpr std::size_t kBlock = 32;
  static constexpr std::size_t kScales = 2 * kTileRows;                // bytes, of a key block's 32 lines
  static constexpr std::size_t kLines = kScales + kBlock * kTileRows;  // with the lines themselves
  struct Keys {
    const std::byte* at;
    Floats scale;
    const std::byte* line(std::size_t i) const { return at + i * kTileRows; }
    Floats operator()(std::size_t i) const { return to_floats(signed_bytes(line(i))) * scale; }
  };
  static inline Keys keys(const std::byte* block, std::size_t first, std::size_t row) {
    const std::byte* lines = block + first / kBlock * kLines;
    return {lines + kScales + row, halves(lines + 2 * row)};
  }
  static constexpr std::size_t kPartBytes = 2 + kBlock;
  static_assert(kBlock == kValuePart);
  static inline Floats value(const std::byte* part, std::size_t first) {
    return to_floats(signed_bytes(part + 2 + first)) * spread(half(part));
  }
  // 32 numbers as integers, times the scale that is returned.
  static inline std::uint16_t quantize(const float* x, std::int8_t* integers) {
    float most = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      const float size = x[i] < 0 ? -x[i] : x[i];
      most = size > most ? size : most;
    }
    const float factor = factor_for(most, 127.0F);
    for (std::size_t i = 0; i < kBlock; i += kLanes) {
      const Char16 bytes = to_bytes(rounded(load16(x + i), factor));
      __builtin_memcpy(integers + i, &bytes, sizeof bytes);
    }
    return to_half(most / 127.0F);
  }
  static void store_key(const float* key, std::size_t dim, std::byte* block, std::size_t lane) {
    for (std::size_t first = 0; first < dim; first += kBlock) {
      std::int8_t integers[kBlock];
      const std::uint16_t scale = quantize(key + first, integers);
      std::byte* lines = block + first / kBlock * kLines;
      __builtin_memcpy(lines + 2 * lane, &scale, sizeof scale);
      for (std::size_t i = 0; i < kBlock; ++i)
        lines[kScales + i * kTileRows + lane] = static_cast<std::byte>(integers[i]);
    }
  }
  static inline void store_part(const float* value, std::size_t, std::byte* part) {
    std::int8_t integers[kBlock];
    const std::uint16_t scale = quantize(value, integers);
    __builtin_memcpy(part, &scale, sizeof scale);
    __builtin_memcpy(part + 2, integers, sizeof integers);
  }
};

// ---- Q queries and B blocks, or Q queries and D vectors of dimensions, at once: what registers hold.

template <class Kv, std::size_t Q, std::size_t B>
static inline void scores_of(const float* const* queries, const std::byte* const* blocks, std::size_t dim,
                             float* const* scores, std::size_t first_score) {
  for (std::size_t part = 0; part < kParts; ++part) {
    const std::size_t row = part * kWide;
    Floats sums[Q][B] = {};
    for (std::size_t first = 0; first < dim; first += 32) {
      Floats some[Q][B] = {};  // sums of sums round less than long ones
      typename Kv::Keys keys[B];
      for (std::size_t b = 0; b < B; ++b) keys[b] = Kv::keys(blocks[b], first, row);
      const std::size_t count = dim - first < 32 ? dim - first : 32;
      for (std::size_t i = 0; i < count; ++i) {
        Floats k[B];
        for (std::size_t b = 0; b < B; ++b) {
          if (part == 0 && i % 2 == 0) ask_ahead(keys[b].line(i));  // two dimensions are about a line
          k[b] = keys[b](i);
        }
        for (std::size_t q = 0; q < Q; ++q) {
          const Floats x = spread(queries[q][first + i]);
          for (std::size_t b = 0; b < B; ++b) some[q][b] = fused(k[b], x, some[q][b]);
        }
      }
      for (std::size_t q = 0; q < Q; ++q)
        for (std::size_t b = 0; b < B; ++b) sums[q][b] = sums[q][b] + some[q][b];
    }
    for (std::size_t q = 0; q < Q; ++q)
      for (std::size_t b = 0; b < B; ++b) put(scores[q] + first_score + b * kTileRows + row, sums[q][b]);
  }
}

template <class Kv, std::size_t Q, std::size_t D>
static inline void add_values_of(const float* const* weights, const std::byte* values, std::size_t keys,
                                 std::size_t stride, std::size_t first, float* const* sums) {
  Floats totals[Q][D];
  const std::byte* parts[D];
  for (std::size_t q = 0; q < Q; ++q)
    for (std::size_t d = 0; d < D; ++d) totals[q][d] = load<Floats>(sums[q] + first + d * kWide);
  for (std::size_t d = 0; d < D; ++d) parts[d] = values + (first + d * kWide) / kValuePart * stride;
  for (std::size_t key = 0; key < keys; ++key) {
    Floats v[D];
    for (std::size_t d = 0; d < D; ++d) {
      const std::byte* part = parts[d] + key * Kv::kPartBytes;
      if (d == 0 || parts[d] != parts[d - 1]) ask_ahead(part);
      v[d] = Kv::value(part, (first + d * kWide) % kValuePart);
    }
    for (std::size_t q = 0; q < Q; ++q) {
      const Floats w = spread(weights[q][key]);
      for (std::size_t d = 0; d < D; ++d) totals[q][d] = fused(v[d], w, totals[q][d]);
    }
  }
  for (std::size_t q = 0; q < Q; ++q)
    for (std::size_t d = 0; d < D; ++d) put(sums[q] + first + d * kWide, totals[q][d]);
}

// of(integral_constant<Q>, first) for eight, four, two or one of `count` at a time.
template <class Of>
static inline void for_queries(std::size_t count, const Of& of) {
  std::size_t q = 0;
  for (; q + 8 <= count; q += 8) of(std::integral_constant<std::size_t, 8>(), q);
  for (; q + 4 <= count; q += 4) of(std::integral_constant<std::size_t, 4>(), q);
  for (; q + 2 <= count; q += 2) of(std::integral_constant<std::size_t, 2>(), q);
  for (; q < count; ++q) of(std::integral_constant<std::size_t, 1>(), q);
}

// Where there are more queries than registers hold, so many keys pass by all of them as stay in the second
// cache: of(first, count).
constexpr std::size_t kKeysAtOnce = 256;
template <class Of>
static inline void for_keys(std::size_t queries, std::size_t keys, const Of& of) {
  const std::size_t most = queries <= 8 ? keys : kKeysAtOnce;
  for (std::size_t first = 0; first < keys; first += most)
    of(first, keys - first < most ? keys - first : most);
}

template <class Kv>
static void kv_scores(const float* const* queries, std::size_t count, const std::byte* const* blocks,
                      std::size_t block_count, std::size_t dim, float* const* scores) {
  for_keys(count, block_count * kTileRows, [&](std::size_t first, std::size_t keys) {
    const std::size_t end = (first + keys) / kTileRows;
    for_queries(count, [&](auto size, std::size_t q) {
      constexpr std::size_t kBlocks = size >= 8 ? 1 : size == 4 ? 2 : 4;
      std::size_t b = first / kTileRows;
      for (; b + kBlocks <= end; b += kBlocks)
        scores_of<Kv, size, kBlocks>(queries + q, blocks + b, dim, scores + q, b * kTileRows);
      for (; b < end; ++b) scores_of<Kv, size, 1>(queries + q, blocks + b, dim, scores + q, b * kTileRows);
    });
  });
}

template <class Kv>
static void kv_add_values(const float* const* weights, std::size_t count, const std::byte* values,
                          std::size_t keys, std::size_t stride, std::size_t dim, float* const* sums) {
  for_keys(count, keys, [&](std::size_t first_key, std::size_t some) {
    for_queries(count, [&](auto size, std::size_t q) {
      constexpr std::size_t kSums = kRegisters / 2;
      constexpr std::size_t kVectors = kSums / size < 8 ? kSums / size : 8;
      const float* of[size];
      for (std::size_t i = 0; i < size; ++i) of[i] = weights[q + i] + first_key;
      const std::byte* from = values + first_key * Kv::kPartBytes;
      std::size_t first = 0;
      for (; first + kVectors * kWide <= dim; first += kVectors * kWide)
        add_values_of<Kv, size, kVectors>(of, from, some, stride, first, sums + q);
      for (; first < dim; first += kWide) add_values_of<Kv, size, 1>(of, from, some, stride, first, sums + q);
    });
  });
}

template <class Kv>
static void kv_store_value(const float* value, std::size_t dim, std::byte* cell, std::size_t stride) {
  for (std::size_t first = 0; first < dim; first += kValuePart)
    Kv::store_part(value + first, dim - first < kValuePart ? dim - first : kValuePart,
                   cell + first / kValuePart * stride);
}

template <class Kv>
static constexpr KvKernels kv_kernels() {
  return {&Kv::store_key, &kv_store_value<Kv>, &kv_scores<Kv>, &kv_add_values<Kv>};
}

// NOLINTEND(misc-definitions-in-headers)
