// What is done to rows of any width, sixteen numbers at a time: included once for each instruction set, in a
// namespace of its own, after lanes_impl.h.
// NOLINTBEGIN(misc-definitions-in-headers)

// The last, shorter vector goes through the same instructions as the whole ones, so that an element's result
// doesn't depend on where in the row it stands.
static inline Float16 load_some(const float* from, std::size_t count, float rest) {
  float lanes[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = i < count ? from[i] : rest;
  return load16(lanes);
}
static inline void store_some(float* to, const Float16& v, std::size_t count) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t i = 0; i < count; ++i) to[i] = lanes[i];
}

// e^x within 2 units of the last place: 2^n times a polynomial in the rest (Cephes' expf). Below -87 it stays
// at 1e-38, above 88 at 2e38.
static inline Float16 exp16(const Float16& of) {
  constexpr float kLog2E = 1.44269504088896341F;
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const Float16 x = larger_of(smaller_of(of, 88.0F), -87.0F);
  const Float16 biased = x * kLog2E + kRounder;
  const Float16 n = biased - kRounder;
  const Float16 r = x - n * kLn2High - n * kLn2Low;
  Float16 p = r * 1.9875691500E-4F + 1.3981999507E-3F;
  p = p * r + 8.3334519073E-3F;
  p = p * r + 4.1665795894E-2F;
  p = p * r + 1.6666665459E-1F;
  p = p * r + 5.0000001201E-1F;
  p = p * (r * r) + r + 1.0F;
  return each(p, n, [](const Floats& value, const Floats& power) {
    return value * (Floats)((__builtin_convertvector(power, Ints) + 127) << 23);
  });
}

static float dot(const float* a, const float* b, std::size_t n) {
  Float16 first{};
  Float16 second{};
  std::size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    first = first + load16(a + i) * load16(b + i);
    second = second + load16(a + i + kLanes) * load16(b + i + kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) first = first + load16(a + i) * load16(b + i);
  if (i < n) first = first + load_some(a + i, n - i, 0) * load_some(b + i, n - i, 0);
  return sum(first + second);
}

static void rms_norm(float* out, const float* x, const float* weight, float eps, std::size_t n) {
  const float mean = dot(x, x, n) / static_cast<float>(n);
  const float factor = 1.0F / __builtin_sqrtf(mean + eps);
  for (std::size_t i = 0; i < n; ++i) out[i] = x[i] * factor;
  if (weight != nullptr)
    for (std::size_t i = 0; i < n; ++i) out[i] *= weight[i];
}

// x * 0.5 (1 + tanh(u)) = x / (1 + e^-2u), u = sqrt(2/pi) (x + 0.044715 x^3)
static inline Float16 gelu16(const Float16& x) {
  constexpr float kTwiceRoot = 1.59576912160573071F;
  const Float16 inner = (x + x * x * x * 0.044715F) * -kTwiceRoot;
  return x / (exp16(inner) + 1.0F);
}

static void gelu_multiply(float* out, const float* gate, const float* up, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, gelu16(load16(gate + i)) * load16(up + i));
  if (i < n) store_some(out + i, gelu16(load_some(gate + i, n - i, 0)) * load_some(up + i, n - i, 0), n - i);
}

// tanh(y) = 1 - 2 / (e^2y + 1), within 1e-7 absolutely
static inline Float16 softcap16(const Float16& x, float cap) {
  return (1.0F - 2.0F / (exp16(x * (2.0F / cap)) + 1.0F)) * cap;
}

static void softcap(float* x, float cap, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(x + i, softcap16(load16(x + i), cap));
  if (i < n) store_some(x + i, softcap16(load_some(x + i, n - i, 0), cap), n - i);
}

// e^x for x <= 0, and 0 where it is below 1e-30 of the greatest: what is multiplied with that would be
// numbers below 1e-38, for which processors take a hundred times as long.
static inline Float16 share16(const Float16& x) {
  constexpr float kLeast = -69.0F;
  return each(exp16(x), x,
              [](const Floats& share, const Floats& of) { return of < kLeast ? spread(0.0F) : share; });
}

static void softmax(float* x, std::size_t n) {
  Float16 most16 = x[0];
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    most16 = larger_of(most16, load16(x + i));
  }
  float most = largest(most16);
  for (; i < n; ++i) most = x[i] > most ? x[i] : most;
  Float16 total{};
  i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Float16 e = share16(load16(x + i) - most);
    store(x + i, e);
    total = total + e;
  }
  if (i < n) {
    store_some(x + i, share16(load_some(x + i, n - i, 0) - most), n - i);
    total = total + load_some(x + i, n - i, 0);
  }
  const float factor = 1.0F / sum(total);
  for (std::size_t j = 0; j < n; ++j) x[j] *= factor;
}

static void add_scaled(float* out, const float* x, float factor, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, load16(out + i) + load16(x + i) * factor);
  if (i < n) store_some(out + i, load_some(out + i, n - i, 0) + load_some(x + i, n - i, 0) * factor, n - i);
}

static inline float half(const std::byte* at) {
#if defined(__ARM_NEON)
  return vgetq_lane_f32(vcvt_f32_f16((float16x4_t)vdup_n_u16(load<std::uint16_t>(at))), 0);
#else
  std::uint16_t bits;
  __builtin_memcpy(&bits, at, sizeof bits);
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t fraction = bits & 0x3FFU;
  std::uint32_t out;
  if (exponent == 0x1F) {
    out = sign | 0x7F800000U | (fraction << 13);
  } else if (exponent != 0) {
    out = sign | ((exponent + 112) << 23) | (fraction << 13);
  } else {  // subnormal: fraction * 2^-24
    const float small = static_cast<float>(fraction) * 5.9604644775390625e-8F;
    __builtin_memcpy(&out, &small, sizeof out);
    out |= sign;
  }
  float value;
  __builtin_memcpy(&value, &out, sizeof value);
  return value;
#endif
}

// NOLINTEND(misc-definitions-in-headers)
