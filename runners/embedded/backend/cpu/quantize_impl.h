// Activations as integers: included after tile_impl.h.
// NOLINTBEGIN(misc-definitions-in-headers)

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

#ifdef GPQA_PRODUCTS_OF_FOUR
static void quantize_bytes(const float* x, std::size_t width, std::uint32_t type, ByteBlock* out) {
  const std::int32_t offset = added_to_bytes(type);
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

// NOLINTEND(misc-definitions-in-headers)
