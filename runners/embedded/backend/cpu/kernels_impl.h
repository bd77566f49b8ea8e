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

// The lanes in pairs, always the same ones.
static inline float sum(const Float16& v) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}
static inline float largest(const Float16& v) {
  float lanes[kLanes];
  store(lanes, v);
  float most = lanes[0];
  for (std::size_t i = 1; i < kLanes; ++i) most = lanes[i] > most ? lanes[i] : most;
  return most;
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
  Float16 x = of;
  x = x > 88.0F ? splat(88.0F) : x;
  x = x < -87.0F ? splat(-87.0F) : x;
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

static void quantize(const float* x, std::size_t n, QuantizedRow out) {
  constexpr float kRounder = 12582912.0F;  // to the nearest, ties to even
  for (std::size_t b = 0; b < n / kQuantBlock; ++b) {
    const auto from = load<Float16>(x + b * kQuantBlock);
    const float most = largest(from < 0.0F ? -from : from);
    const float scale = most / 127.0F;
    const float inverse = most > 0.0F ? 127.0F / most : 0.0F;
    const Int16 values = __builtin_convertvector((from * inverse + kRounder) - kRounder, Int16);
    const Char16 bytes = __builtin_convertvector(values, Char16);
    __builtin_memcpy(out.values + b * kQuantBlock, &bytes, sizeof bytes);
    out.scales[b] = scale;
    out.sums[b] = scale * sum(__builtin_convertvector(values, Float16));
  }
}

// The sum over one block of activations, lane by lane: |w| <= 128 and |x| <= 127, so 16 bits hold a product.
static inline Float16 products(const std::int8_t* w, const std::int8_t* x) {
  const Short16 both =
      __builtin_convertvector(load<Char16>(w), Short16) * __builtin_convertvector(load<Char16>(x), Short16);
  return __builtin_convertvector(__builtin_convertvector(both, Int16), Float16);
}

static float dot_quantized(const UnpackedRow& w, const UnpackedForm& form, const QuantizedRow& x,
                           std::size_t n) {
  Float16 total{};
  const std::size_t blocks = n / kQuantBlock;
  const std::size_t per_scale = form.per_scale / kQuantBlock;  // blocks
  for (std::size_t b = 0; b < blocks; ++b)
    total += products(w.values + b * kQuantBlock, x.values + b * kQuantBlock) *
             (w.scales[b / per_scale] * x.scales[b]);
  float result = sum(total);
  if (form.has_minimums)
    for (std::size_t b = 0; b < blocks; ++b) result -= w.minimums[b / 2] * x.sums[b];
  return result;
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

static void softmax(float* x, std::size_t n) {
  float most = x[0];
  for (std::size_t i = 1; i < n; ++i) most = x[i] > most ? x[i] : most;
  Float16 total{};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Float16 e = exp16(load<Float16>(x + i) - most);
    store(x + i, e);
    total += e;
  }
  if (i < n) {
    store_some(x + i, exp16(load_some(x + i, n - i, 0) - most), n - i);
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

// ---- Blocks of weights as small integers. Layouts: ggml's block formats.

static inline float half(const std::byte* at) {
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
}
static inline unsigned byte_at(const std::byte* bytes, std::size_t i) {
  return static_cast<unsigned>(bytes[i]);
}

static void unpack_q8_0(const std::byte* bytes, std::size_t width, UnpackedRow out) {
  for (std::size_t b = 0; b < width / 32; ++b, bytes += 34) {
    out.scales[b] = half(bytes);
    __builtin_memcpy(out.values + b * 32, bytes + 2, 32);
  }
}

static void unpack_q4_0(const std::byte* bytes, std::size_t width, UnpackedRow out) {
  for (std::size_t b = 0; b < width / 32; ++b, bytes += 18) {
    out.scales[b] = half(bytes);
    std::int8_t* q = out.values + b * 32;
    for (std::size_t i = 0; i < 16; ++i) {
      const unsigned pair = byte_at(bytes, 2 + i);
      q[i] = static_cast<std::int8_t>(static_cast<int>(pair & 15U) - 8);
      q[i + 16] = static_cast<std::int8_t>(static_cast<int>(pair >> 4) - 8);
    }
  }
}

static void unpack_q5_0(const std::byte* bytes, std::size_t width, UnpackedRow out) {
  for (std::size_t b = 0; b < width / 32; ++b, bytes += 22) {
    out.scales[b] = half(bytes);
    std::uint32_t high;
    __builtin_memcpy(&high, bytes + 2, sizeof high);
    std::int8_t* q = out.values + b * 32;
    for (std::size_t i = 0; i < 16; ++i) {
      const unsigned pair = byte_at(bytes, 6 + i);
      q[i] = static_cast<std::int8_t>(static_cast<int>((pair & 15U) | (((high >> i) & 1U) << 4)) - 16);
      q[i + 16] =
          static_cast<std::int8_t>(static_cast<int>((pair >> 4) | (((high >> (i + 16)) & 1U) << 4)) - 16);
    }
  }
}

// Eight scales and eight minimums of six bits each, in twelve bytes.
static inline void scale_and_minimum(const std::byte* packed, std::size_t j, unsigned& scale,
                                     unsigned& minimum) {
  if (j < 4) {
    scale = byte_at(packed, j) & 63U;
    minimum = byte_at(packed, j + 4) & 63U;
  } else {
    scale = (byte_at(packed, j + 4) & 15U) | ((byte_at(packed, j - 4) >> 6) << 4);
    minimum = (byte_at(packed, j + 4) >> 4) | ((byte_at(packed, j) >> 6) << 4);
  }
}

static inline void k_scales(const std::byte* block, float* scales, float* minimums) {
  const float d = half(block);
  const float d_min = half(block + 2);
  for (std::size_t j = 0; j < 8; ++j) {
    unsigned scale = 0;
    unsigned minimum = 0;
    scale_and_minimum(block + 4, j, scale, minimum);
    scales[j] = d * static_cast<float>(scale);
    minimums[j] = d_min * static_cast<float>(minimum);
  }
}

static void unpack_q4_k(const std::byte* bytes, std::size_t width, UnpackedRow out) {
  for (std::size_t b = 0; b < width / 256; ++b, bytes += 144) {
    k_scales(bytes, out.scales + b * 8, out.minimums + b * 8);
    for (std::size_t g = 0; g < 4; ++g) {
      std::int8_t* q = out.values + b * 256 + g * 64;
      const std::byte* nibbles = bytes + 16 + g * 32;
      for (std::size_t i = 0; i < 32; ++i) {
        q[i] = static_cast<std::int8_t>(byte_at(nibbles, i) & 15U);
        q[i + 32] = static_cast<std::int8_t>(byte_at(nibbles, i) >> 4);
      }
    }
  }
}

static void unpack_q5_k(const std::byte* bytes, std::size_t width, UnpackedRow out) {
  for (std::size_t b = 0; b < width / 256; ++b, bytes += 176) {
    k_scales(bytes, out.scales + b * 8, out.minimums + b * 8);
    const std::byte* high = bytes + 16;
    for (std::size_t g = 0; g < 4; ++g) {
      std::int8_t* q = out.values + b * 256 + g * 64;
      const std::byte* nibbles = bytes + 48 + g * 32;
      for (std::size_t i = 0; i < 32; ++i) {
        const unsigned bits = byte_at(high, i) >> (2 * g);
        q[i] = static_cast<std::int8_t>((byte_at(nibbles, i) & 15U) | ((bits & 1U) << 4));
        q[i + 32] = static_cast<std::int8_t>((byte_at(nibbles, i) >> 4) | ((bits & 2U) << 3));
      }
    }
  }
}

static void unpack_q6_k(const std::byte* bytes, std::size_t width, UnpackedRow out) {
  for (std::size_t b = 0; b < width / 256; ++b, bytes += 210) {
    const float d = half(bytes + 208);
    for (std::size_t j = 0; j < 16; ++j)
      out.scales[b * 16 + j] = d * static_cast<float>(static_cast<std::int8_t>(bytes[192 + j]));
    for (std::size_t g = 0; g < 2; ++g) {
      std::int8_t* q = out.values + b * 256 + g * 128;
      const std::byte* low = bytes + g * 64;
      const std::byte* high = bytes + 128 + g * 32;
      for (std::size_t i = 0; i < 32; ++i) {
        const unsigned bits = byte_at(high, i);
        const unsigned first = byte_at(low, i);
        const unsigned second = byte_at(low, i + 32);
        q[i] = static_cast<std::int8_t>(static_cast<int>((first & 15U) | ((bits & 3U) << 4)) - 32);
        q[i + 32] = static_cast<std::int8_t>(static_cast<int>((second & 15U) | ((bits & 12U) << 2)) - 32);
        q[i + 64] = static_cast<std::int8_t>(static_cast<int>((first >> 4) | (bits & 48U)) - 32);
        q[i + 96] = static_cast<std::int8_t>(static_cast<int>((second >> 4) | ((bits & 192U) >> 2)) - 32);
      }
    }
  }
}

static UnpackedForm form_of(std::uint32_t type) {
  switch (type) {  // ggml's ids: block_formats.h
    case 2:
      return {&unpack_q4_0, 32, false};
    case 6:
      return {&unpack_q5_0, 32, false};
    case 8:
      return {&unpack_q8_0, 32, false};
    case 12:
      return {&unpack_q4_k, 32, true};
    case 13:
      return {&unpack_q5_k, 32, true};
    case 14:
      return {&unpack_q6_k, 16, false};
    default:
      return {nullptr, 0, false};
  }
}

static constexpr Kernels make_kernels(std::string_view name) {
  return {name,           &dot,     &quantize, &dot_quantized, &rms_norm,
          &gelu_multiply, &softcap, &softmax,  &add_scaled,    &form_of};
}

// NOLINTEND(misc-definitions-in-headers)
