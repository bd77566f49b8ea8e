// Few tokens: a tile goes from memory straight into their sums, so that the processor asks for what comes
// next while it multiplies. The same operations in the same order as with panels (panel_impl.h): the sums are
// equal to the bit. Included after tile_impl.h. NOLINTBEGIN(misc-definitions-in-headers)

// Tokens whose sums fit into registers.
constexpr std::size_t kFewTokens = kRegisters == 32 ? 8 : 4;

template <std::uint32_t Type, std::size_t T>
static inline void stream_words_of(const std::byte* tile, std::size_t row_width, const WordRow* tokens,
                                   Panel& panel, float* sums) {
  const Words offset = offset_of(Type);
  for (std::size_t first = 0; first < row_width; first += kPanelWidth) {
    const std::size_t width = row_width - first < kPanelWidth ? row_width - first : kPanelWidth;
    const Place place = place_of<Type>(tile, row_width, first, width, true);
    scales_of<Type>(place, width, panel);
    for (std::size_t part = 0; part < kParts; ++part) {
      const std::size_t row = part * kWide;
      Floats totals[T] = {};
      Ints products[T];
      integers<Type>(place, width, part, [&](std::size_t group, const Words& four) {
        const WordPair w = words_of(four, offset);
        if (group % 4 == 0)
          for (std::size_t t = 0; t < T; ++t) products[t] = Ints{};
        for (std::size_t t = 0; t < T; ++t) {
          const std::int16_t* x = tokens[t].values + first + group * 4;
          products[t] = add_pairs(add_pairs(products[t], w.even, spread_bits(x)), w.odd, spread_bits(x + 2));
        }
        if (group % 4 == 3) {
          const auto scale = load<Floats>(panel.scales + group / 4 * kTileRows + row);
          for (std::size_t t = 0; t < T; ++t) totals[t] = fused(to_floats(products[t]), scale, totals[t]);
        }
      });
      if constexpr (minimums_of(Type))
        for (std::size_t b = 0; b < width / 32; ++b) {
          const auto minimum = load<Floats>(panel.minimums + b * kTileRows + row);
          for (std::size_t t = 0; t < T; ++t)
            totals[t] = fused(minimum, spread(-tokens[t].sums[first / 32 + b]), totals[t]);
        }
      for (std::size_t t = 0; t < T; ++t) {
        float* to = sums + t * kTileRows + row;
        put(to, fused(totals[t], spread(tokens[t].scales[first / kPanelWidth]), load<Floats>(to)));
      }
    }
  }
}

// of(integral_constant<T>) for the number of tokens.
template <std::size_t T = 1, class Of>
static inline void for_count(std::size_t count, const Of& of) {
  if constexpr (T < kFewTokens)
    if (count > T) return for_count<T + 1>(count, of);
  of(std::integral_constant<std::size_t, T>());
}

static void stream_words(std::uint32_t type, const std::byte* tile, std::size_t row_width,
                         const WordRow* tokens, std::size_t count, Panel& panel, float* sums) {
  for_type(type, [&](auto known) {
    for_count(count, [&](auto size) { stream_words_of<known, size>(tile, row_width, tokens, panel, sums); });
  });
}

#ifdef GPQA_BYTES
template <std::uint32_t Type, std::size_t T>
static inline void stream_bytes_of(const std::byte* tile, std::size_t row_width,
                                   const ByteBlock* const* tokens, Panel& panel, float* sums) {
  const Words flipped = flipped_of(Type);
  Floats all[kParts][T];
  for (std::size_t part = 0; part < kParts; ++part)
    for (std::size_t t = 0; t < T; ++t) all[part][t] = load<Floats>(sums + t * kTileRows + part * kWide);
  for (std::size_t first = 0; first < row_width; first += kPanelWidth) {
    const std::size_t width = row_width - first < kPanelWidth ? row_width - first : kPanelWidth;
    const Place place = place_of<Type>(tile, row_width, first, width, true);
    scales_of<Type>(place, width, panel);
    for (std::size_t part = 0; part < kParts; ++part) {
      const std::size_t row = part * kWide;
      Floats totals[T];
      for (std::size_t t = 0; t < T; ++t) totals[t] = all[part][t];
      Ints products[T];
      Ints last;  // group's
      integers<Type>(place, width, part, [&](std::size_t group, const Words& four) {
        const std::size_t b = group / 4;
        const auto block = [&](std::size_t t) -> const ByteBlock& {
          return tokens[t][first / kQuantBlock + b];
        };
        if (group % 4 == 0)
          for (std::size_t t = 0; t < T; ++t) products[t] = spread(block(t).start);
        const auto w = (Ints)(four ^ flipped);
        if (group % 2 == 1)
          for (std::size_t t = 0; t < T; ++t)
            products[t] = add_eights(products[t], last, w, block(t), group % 4 / 2);
        last = w;
        if (group % 4 != 3) return;
        const auto scale = load<Floats>(panel.scales + b * kTileRows + row);
        for (std::size_t t = 0; t < T; ++t)
          totals[t] = fused(to_floats(products[t]), scale * spread(block(t).scale), totals[t]);
        if constexpr (minimums_of(Type)) {
          const auto minimum = load<Floats>(panel.minimums + b / 2 * kTileRows + row);
          for (std::size_t t = 0; t < T; ++t) totals[t] = fused(minimum, spread(-block(t).sum), totals[t]);
        }
      });
      for (std::size_t t = 0; t < T; ++t) all[part][t] = totals[t];
    }
  }
  for (std::size_t part = 0; part < kParts; ++part)
    for (std::size_t t = 0; t < T; ++t) put(sums + t * kTileRows + part * kWide, all[part][t]);
}

static void stream_bytes(std::uint32_t type, const std::byte* tile, std::size_t row_width,
                         const ByteBlock* const* tokens, std::size_t count, Panel& panel, float* sums) {
  for_type(type, [&](auto known) {
    if constexpr (multiplies_bytes(known))
      for_count(count,
                [&](auto size) { stream_bytes_of<known, size>(tile, row_width, tokens, panel, sums); });
  });
}
#endif

// NOLINTEND(misc-definitions-in-headers)
