// Included once for each instruction set, in a namespace of its own. Sixteen lanes everywhere, as GCC's
// vector types: the compiler makes of them what the instruction set has. Nothing here may be an inline
// function of a shared header: the linker would keep one copy of it, for the wrong processor perhaps.
// NOLINTBEGIN(misc-definitions-in-headers)

constexpr std::size_t kLanes = 16;
using Float16 = float __attribute__((vector_size(64)));
using Int16 = std::int32_t __attribute__((vector_size(64)));
using Short16 = std::int16_t __attribute__((vector_size(32)));
using Char16 = std::int8_t __attribute__((vector_size(16)));

template <class Vector, class Element>
static inline Vector load(const Element* from) {
  Vector v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
static inline void store(float* to, const Float16& v) {
  __builtin_memcpy(to, &v, sizeof v);
}

#if defined(__ARM_NEON)
// GCC 12 compares, converts and narrows vectors wider than a register one number at a time: here these are
// spelt out, a quarter after the other.
template <class Quarter>
struct Quarters {
  Quarter at[4];
};
using FloatQuarters = Quarters<float32x4_t>;
using IntQuarters = Quarters<int32x4_t>;

template <class Join>
static inline Float16 by_quarters(const Float16& a, const Float16& b, const Join& join) {
  auto x = load<FloatQuarters>(&a);
  const auto y = load<FloatQuarters>(&b);
  for (std::size_t i = 0; i < 4; ++i) x.at[i] = join(x.at[i], y.at[i]);
  return load<Float16>(&x);
}
#endif

static inline Float16 smaller_of(const Float16& a, const Float16& b) {
#if defined(__ARM_NEON)
  return by_quarters(a, b, [](float32x4_t x, float32x4_t y) { return vminq_f32(x, y); });
#else
  return a > b ? b : a;
#endif
}
static inline Float16 larger_of(const Float16& a, const Float16& b) {
#if defined(__ARM_NEON)
  return by_quarters(a, b, [](float32x4_t x, float32x4_t y) { return vmaxq_f32(x, y); });
#else
  return a < b ? b : a;
#endif
}
static inline Float16 size_of(const Float16& v) {
#if defined(__ARM_NEON)
  auto x = load<FloatQuarters>(&v);
  for (float32x4_t& quarter : x.at) quarter = vabsq_f32(quarter);
  return load<Float16>(&x);
#else
  return v < 0.0F ? -v : v;
#endif
}

// The lanes in pairs, always the same ones.
static inline float sum(const Float16& v) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}
// What the order doesn't matter for: halves, halves of them, ...
template <class Vector, class Join>
static inline auto in_halves(const Vector& v, const Join& join) {
  const auto a = join(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  const auto b = join(a, __builtin_shufflevector(a, a, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  const auto c = join(b, __builtin_shufflevector(b, b, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  return join(c, __builtin_shufflevector(c, c, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14))[0];
}
static inline float largest(const Float16& v) {
#if defined(__ARM_NEON)
  const auto x = load<FloatQuarters>(&v);
  return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.at[0], x.at[1]), vmaxq_f32(x.at[2], x.at[3])));
#else
  return in_halves(v, [](const Float16& a, const Float16& b) { return a > b ? a : b; });
#endif
}

// The last, shorter vector goes through the same instructions as the whole ones, so that an element's result
// doesn't depend on where in the row it stands.
static inline Float16 load_some(const float* from, std::size_t count, float rest) {
  float lanes[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = i < count ? from[i] : rest;
  return load<Float16>(lanes);
}
static inline void store_some(float* to, const Float16& v, std::size_t count) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t i = 0; i < count; ++i) to[i] = lanes[i];
}

static inline Float16 splat(float x) {
  return Float16{} + x;
}

// e^x within 2 units of the last place: 2^n times a polynomial in the rest (Cephes' expf). Below -87 it stays
// at 1e-38, above 88 at 2e38.
static inline Float16 exp16(const Float16& of) {
  constexpr float kLog2E = 1.44269504088896341F;
  constexpr float kLn2High = 0.693359375F;
  constexpr float kLn2Low = -2.12194440e-4F;
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const Float16 x = larger_of(smaller_of(of, splat(88.0F)), splat(-87.0F));
  const Float16 biased = x * kLog2E + kRounder;
  const Float16 n = biased - kRounder;
  const Float16 r = x - n * kLn2High - n * kLn2Low;
  Float16 p = r * 1.9875691500E-4F + 1.3981999507E-3F;
  p = p * r + 8.3334519073E-3F;
  p = p * r + 4.1665795894E-2F;
  p = p * r + 1.6666665459E-1F;
  p = p * r + 5.0000001201E-1F;
  p = p * (r * r) + r + 1.0F;
  const Int16 power = (__builtin_convertvector(n, Int16) + 127) << 23;
  Float16 scale;
  __builtin_memcpy(&scale, &power, sizeof scale);
  return p * scale;
}

static float dot(const float* a, const float* b, std::size_t n) {
  Float16 first{};
  Float16 second{};
  std::size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    first += load<Float16>(a + i) * load<Float16>(b + i);
    second += load<Float16>(a + i + kLanes) * load<Float16>(b + i + kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) first += load<Float16>(a + i) * load<Float16>(b + i);
  if (i < n) first += load_some(a + i, n - i, 0) * load_some(b + i, n - i, 0);
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
  for (; i + kLanes <= n; i += kLanes)
    store(out + i, gelu16(load<Float16>(gate + i)) * load<Float16>(up + i));
  if (i < n) store_some(out + i, gelu16(load_some(gate + i, n - i, 0)) * load_some(up + i, n - i, 0), n - i);
}

// tanh(y) = 1 - 2 / (e^2y + 1), within 1e-7 absolutely
static inline Float16 softcap16(const Float16& x, float cap) {
  return (1.0F - 2.0F / (exp16(x * (2.0F / cap)) + 1.0F)) * cap;
}

static void softcap(float* x, float cap, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(x + i, softcap16(load<Float16>(x + i), cap));
  if (i < n) store_some(x + i, softcap16(load_some(x + i, n - i, 0), cap), n - i);
}

// e^x for x <= 0, and 0 where it is below 1e-30 of the greatest: what is multiplied with that would be
// numbers below 1e-38, for which processors take a hundred times as long.
static inline Float16 share16(const Float16& x) {
  constexpr float kLeast = -69.0F;
  const Float16 e = exp16(x);
#if defined(__ARM_NEON)
  return by_quarters(e, x, [](float32x4_t share, float32x4_t of) {
    return (float32x4_t)vbicq_u32((uint32x4_t)share, vcltq_f32(of, vdupq_n_f32(kLeast)));
  });
#else
  return x < kLeast ? splat(0) : e;
#endif
}

static void softmax(float* x, std::size_t n) {
  Float16 most16 = splat(x[0]);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    most16 = larger_of(most16, load<Float16>(x + i));
  }
  float most = largest(most16);
  for (; i < n; ++i) most = x[i] > most ? x[i] : most;
  Float16 total{};
  i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Float16 e = share16(load<Float16>(x + i) - most);
    store(x + i, e);
    total += e;
  }
  if (i < n) {
    store_some(x + i, share16(load_some(x + i, n - i, 0) - most), n - i);
    total += load_some(x + i, n - i, 0);
  }
  const float factor = 1.0F / sum(total);
  for (std::size_t j = 0; j < n; ++j) x[j] *= factor;
}

static void add_scaled(float* out, const float* x, float factor, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(out + i, load<Float16>(out + i) + load<Float16>(x + i) * factor);
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
