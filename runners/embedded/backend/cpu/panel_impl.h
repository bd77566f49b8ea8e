// Many tokens: up to 256 columns of a tile are unpacked into a panel, which all of them share. Included after
// tile_impl.h.
// NOLINTBEGIN(misc-definitions-in-headers)

// ---- Panels.

// All integers of columns [first, first + width), and their scales: take(group, part, bytes).
template <class Take>
static inline void unpack(std::uint32_t type, const std::byte* tile, std::size_t row_width, std::size_t first,
                          std::size_t width, Panel& panel, const Take& take) {
  for_type(type, [&](auto known) {
    const Place place = place_of<known>(tile, row_width, first, width, false);
    scales_of<known>(place, width, panel);
    const std::size_t integer_bytes = integer_bytes_of(known) * kTileRows * width / 256;
    panel.next = place.integers.at + integer_bytes;
    panel.next_bytes = static_cast<std::size_t>(panel.next - place.scales.at);
    for (std::size_t part = 0; part < kParts; ++part)
      integers<known>(place, width, part,
                      [&](std::size_t group, const Words& four) { take(group, part, four); });
  });
}

static void unpack_words(std::uint32_t type, const std::byte* tile, std::size_t row_width, std::size_t first,
                         std::size_t width, Panel& panel) {
  const Words offset = offset_of(type);
  auto* words = reinterpret_cast<std::byte*>(panel.words);
  unpack(type, tile, row_width, first, width, panel,
         [&](std::size_t group, std::size_t part, const Words& four) {
           const WordPair pair = words_of(four, offset);
           put(words + 2 * group * kLine + part * kRegister, pair.even);
           put(words + (2 * group + 1) * kLine + part * kRegister, pair.odd);
         });
}

static void unpack_floats(std::uint32_t type, const std::byte* tile, std::size_t row_width, std::size_t first,
                          std::size_t width, Panel& panel) {
  const auto each = [&](std::size_t bytes, const auto& read) {
    panel.next_bytes = width * kTileRows * bytes;
    panel.next = tile + first * kTileRows * bytes + panel.next_bytes;
    for (std::size_t k = 0; k < width; ++k)
      for (std::size_t part = 0; part < kParts; ++part)
        put(panel.floats + k * kTileRows + part * kWide,
            read(tile + ((first + k) * kTileRows + part * kWide) * bytes));
  };
  if (type == 0) return each(4, [](const std::byte* at) { return load<Floats>(at); });
  if (type == 1) return each(2, [](const std::byte* at) { return halves(at); });
  if (type == 30) return each(2, [](const std::byte* at) { return (Floats)(unsigned_words(at) << 16); });
  const bool minimums = minimums_of(type);
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

// Parts of a line that share what is loaded of the activations: with AVX2's, loads are what limits.
constexpr std::size_t kTogether = kParts == 2 ? 2 : 1;

template <std::size_t T, bool Minimums>
static inline void add_words(const Panel& panel, std::size_t first, std::size_t width, const WordRow* tokens,
                             float* sums) {
  const auto* words = reinterpret_cast<const std::byte*>(panel.words);
  const std::int16_t* values[T];
  for (std::size_t t = 0; t < T; ++t) values[t] = tokens[t].values + first;
  for (std::size_t part = 0; part < kParts; part += kTogether) {
    Floats totals[kTogether][T] = {};
    for (std::size_t b = 0; b < width / 16; ++b) {
      Ints products[kTogether][T] = {};
#pragma GCC unroll 8
      for (std::size_t pair = 0; pair < 8; ++pair) {
        Ints w[kTogether];
        for (std::size_t p = 0; p < kTogether; ++p)
          w[p] = load<Ints>(words + (b * 8 + pair) * kLine + (part + p) * kRegister);
        for (std::size_t t = 0; t < T; ++t) {
          const Ints x = spread_bits(values[t] + b * 16 + pair * 2);
          for (std::size_t p = 0; p < kTogether; ++p) products[p][t] = add_pairs(products[p][t], w[p], x);
        }
      }
      for (std::size_t p = 0; p < kTogether; ++p) {
        const auto scale = load<Floats>(panel.scales + b * kTileRows + (part + p) * kWide);
        for (std::size_t t = 0; t < T; ++t)
          totals[p][t] = fused(to_floats(products[p][t]), scale, totals[p][t]);
      }
    }
    for (std::size_t p = 0; p < kTogether; ++p) {
      const std::size_t row = (part + p) * kWide;
      if constexpr (Minimums)
        for (std::size_t b = 0; b < width / 32; ++b) {
          const auto minimum = load<Floats>(panel.minimums + b * kTileRows + row);
          for (std::size_t t = 0; t < T; ++t)
            totals[p][t] = fused(minimum, spread(-tokens[t].sums[first / 32 + b]), totals[p][t]);
        }
      for (std::size_t t = 0; t < T; ++t) {
        float* to = sums + t * kTileRows + row;
        put(to, fused(totals[p][t], spread(tokens[t].scales[first / kPanelWidth]), load<Floats>(to)));
      }
    }
  }
}

template <std::size_t T>
static inline void add_floats(const Panel& panel, std::size_t first, std::size_t width,
                              const float* const* tokens, float* sums) {
  const float* x[T];
  for (std::size_t t = 0; t < T; ++t) x[t] = tokens[t] + first;
  for (std::size_t part = 0; part < kParts; ++part) {
    const std::size_t row = part * kWide;
    // Even and odd columns apart: two short chains, and smaller sums to round.
    Floats even[T] = {};
    Floats odd[T] = {};
    std::size_t k = 0;
    for (; k + 2 <= width; k += 2) {
      const auto one = load<Floats>(panel.floats + k * kTileRows + row);
      const auto other = load<Floats>(panel.floats + (k + 1) * kTileRows + row);
      for (std::size_t t = 0; t < T; ++t) {
        even[t] = fused(one, spread(x[t][k]), even[t]);
        odd[t] = fused(other, spread(x[t][k + 1]), odd[t]);
      }
    }
    if (k < width) {
      const auto last = load<Floats>(panel.floats + k * kTileRows + row);
      for (std::size_t t = 0; t < T; ++t) even[t] = fused(last, spread(x[t][k]), even[t]);
    }
    for (std::size_t t = 0; t < T; ++t) {
      float* to = sums + t * kTileRows + row;
      put(to, load<Floats>(to) + (even[t] + odd[t]));
    }
  }
}

// As many tokens at a time as registers hold: of(integral_constant<T>, first token). Meanwhile memory is
// asked for the next panel, a part of it by each group: at once it would be more than a core can wait for.
template <class Of>
static inline void in_groups(const Panel& panel, std::size_t count, const Of& of) {
  std::size_t asked = 0;
  const auto group = [&](auto size, std::size_t t) {
    const std::size_t until = panel.next_bytes * (t + size) / count;
    for (; asked < until; asked += kLine) __builtin_prefetch(panel.next + asked);
    of(size, t);
  };
  std::size_t t = 0;
  if constexpr (kRegisters == 32)
    for (; t + 8 <= count; t += 8) group(std::integral_constant<std::size_t, 8>(), t);
  for (; t + 4 <= count; t += 4) group(std::integral_constant<std::size_t, 4>(), t);
  for (; t + 2 <= count; t += 2) group(std::integral_constant<std::size_t, 2>(), t);
  for (; t < count; ++t) group(std::integral_constant<std::size_t, 1>(), t);
}

static void multiply_words(const Panel& panel, bool minimums, std::size_t first, std::size_t width,
                           const WordRow* tokens, std::size_t count, float* sums) {
  in_groups(panel, count, [&](auto size, std::size_t t) {
    if (minimums)
      add_words<size, true>(panel, first, width, tokens + t, sums + t * kTileRows);
    else
      add_words<size, false>(panel, first, width, tokens + t, sums + t * kTileRows);
  });
}
static void multiply_floats(const Panel& panel, std::size_t first, std::size_t width,
                            const float* const* tokens, std::size_t count, float* sums) {
  in_groups(panel, count, [&](auto size, std::size_t t) {
    add_floats<size>(panel, first, width, tokens + t, sums + t * kTileRows);
  });
}

// ---- At 8 bits.

#ifdef GPQA_BYTES
static void unpack_bytes(std::uint32_t type, const std::byte* tile, std::size_t row_width, std::size_t first,
                         std::size_t width, Panel& panel) {
  const Words flipped = flipped_of(type);
  unpack(type, tile, row_width, first, width, panel,
         [&](std::size_t group, std::size_t part, const Words& four) {
           put(panel.bytes + group * kLine + part * kRegister, four ^ flipped);
         });
}

template <std::size_t T, bool Minimums>
static inline void add_bytes(const Panel& panel, std::size_t first, std::size_t width,
                             const ByteBlock* const* tokens, float* sums) {
  for (std::size_t part = 0; part < kParts; ++part) {
    const std::size_t row = part * kWide;
    const ByteBlock* blocks[T];
    Floats totals[T];
    for (std::size_t t = 0; t < T; ++t) {
      blocks[t] = tokens[t] + first / kQuantBlock;
      totals[t] = load<Floats>(sums + t * kTileRows + row);
    }
    for (std::size_t b = 0; b < width / kQuantBlock; ++b) {
      Ints products[T];
      for (std::size_t t = 0; t < T; ++t) products[t] = spread(blocks[t][b].start);
#pragma GCC unroll 2
      for (std::size_t pair = 0; pair < 2; ++pair) {
        const std::uint8_t* bytes = panel.bytes + (b * 4 + pair * 2) * kLine + part * kRegister;
        const auto one = load<Ints>(bytes);
        const auto other = load<Ints>(bytes + kLine);
        for (std::size_t t = 0; t < T; ++t)
          products[t] = add_eights(products[t], one, other, blocks[t][b], pair);
      }
      const auto scale = load<Floats>(panel.scales + b * kTileRows + row);
      for (std::size_t t = 0; t < T; ++t)
        totals[t] = fused(to_floats(products[t]), scale * spread(blocks[t][b].scale), totals[t]);
      if constexpr (Minimums) {
        const auto minimum = load<Floats>(panel.minimums + b / 2 * kTileRows + row);
        for (std::size_t t = 0; t < T; ++t) totals[t] = fused(minimum, spread(-blocks[t][b].sum), totals[t]);
      }
    }
    for (std::size_t t = 0; t < T; ++t) put(sums + t * kTileRows + row, totals[t]);
  }
}

static void multiply_bytes(const Panel& panel, bool minimums, std::size_t first, std::size_t width,
                           const ByteBlock* const* tokens, std::size_t count, float* sums) {
  in_groups(panel, count, [&](auto size, std::size_t t) {
    if (minimums)
      add_bytes<size, true>(panel, first, width, tokens + t, sums + t * kTileRows);
    else
      add_bytes<size, false>(panel, first, width, tokens + t, sums + t * kTileRows);
  });
}
#endif

// NOLINTEND(misc-definitions-in-headers)
