// Registers, and sixteen numbers in as many of them as an instruction set needs: included once for each, in a
// namespace of its own, before all else. Nothing here may be an inline function of a shared header: the
// linker would keep one copy of it, for the wrong processor perhaps. NOLINTBEGIN(misc-definitions-in-headers)

template <class Vector, class Element>
static inline Vector load(const Element* from) {
  Vector v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}
template <class Vector>
static inline void put(void* to, const Vector& v) {
  __builtin_memcpy(to, &v, sizeof v);
}

#if defined(__AVX512BW__)
constexpr std::size_t kWide = 16;
#elif defined(__AVX2__)
constexpr std::size_t kWide = 8;
#else
constexpr std::size_t kWide = 4;
#endif
#if defined(__AVX512BW__) || defined(__ARM_NEON)
constexpr std::size_t kRegisters = 32;
#else
constexpr std::size_t kRegisters = 16;
#endif
constexpr std::size_t kLine = 64;                  // bytes
constexpr std::size_t kParts = kTileRows / kWide;  // registers a line
constexpr std::size_t kRegister = kLine / kParts;  // bytes
using Floats = float __attribute__((vector_size(kRegister)));
using Ints = std::int32_t __attribute__((vector_size(kRegister)));
using Uints = std::uint32_t __attribute__((vector_size(kRegister)));
using Words = std::uint16_t __attribute__((vector_size(kRegister)));

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

// ---- Sixteen numbers. GCC's own vectors of sixteen live in memory where registers are smaller, and are
// compared, converted and narrowed one number at a time.

constexpr std::size_t kLanes = 16;

struct Float16 {
  Float16() = default;
  Float16(float x) {  // in all lanes
    for (Floats& part : at) part = spread(x);
  }
  Floats at[kParts];
};
struct Int16 {
  Ints at[kParts];
};
using Short16 = std::int16_t __attribute__((vector_size(32)));
using Char16 = std::int8_t __attribute__((vector_size(16)));

template <class Of>
static inline Float16 each(const Float16& a, const Float16& b, const Of& of) {
  Float16 all;
  for (std::size_t i = 0; i < kParts; ++i) all.at[i] = of(a.at[i], b.at[i]);
  return all;
}
static inline Float16 operator+(const Float16& a, const Float16& b) {
  return each(a, b, [](const Floats& x, const Floats& y) { return x + y; });
}
static inline Float16 operator-(const Float16& a, const Float16& b) {
  return each(a, b, [](const Floats& x, const Floats& y) { return x - y; });
}
static inline Float16 operator*(const Float16& a, const Float16& b) {
  return each(a, b, [](const Floats& x, const Floats& y) { return x * y; });
}
static inline Float16 operator/(const Float16& a, const Float16& b) {
  return each(a, b, [](const Floats& x, const Floats& y) { return x / y; });
}
static inline Float16 smaller_of(const Float16& a, const Float16& b) {
  return each(a, b, [](const Floats& x, const Floats& y) { return x > y ? y : x; });
}
static inline Float16 larger_of(const Float16& a, const Float16& b) {
  return each(a, b, [](const Floats& x, const Floats& y) { return x < y ? y : x; });
}
static inline Float16 size_of(const Float16& v) {
  return each(v, v, [](const Floats& x, const Floats&) { return x < 0.0F ? -x : x; });
}

// A register at a time: the whole would be copied in smaller pieces, which a processor can't read back at
// once.
static inline Float16 load16(const float* from) {
  Float16 v;
  for (std::size_t i = 0; i < kParts; ++i) v.at[i] = load<Floats>(from + i * kWide);
  return v;
}
static inline void store(float* to, const Float16& v) {
  for (std::size_t i = 0; i < kParts; ++i) put(to + i * kWide, v.at[i]);
}

// The lanes in pairs, always the same ones.
static inline float sum(const Float16& v) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t half = kLanes / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}
// Each lane beside the one whose number has this bit flipped.
template <std::size_t Bit, class Register>
static inline Register across(const Register& v) {
  return [&]<std::size_t... i>(std::index_sequence<i...>) {
    return __builtin_shufflevector(v, v, (i ^ Bit)...);
  }
  (std::make_index_sequence<kWide>());
}
// What the order doesn't matter for.
template <class Sixteen, class Join>
static inline auto in_halves(const Sixteen& v, const Join& join) {
  auto all = v.at[0];
  for (std::size_t i = 1; i < kParts; ++i) all = join(all, v.at[i]);
  if constexpr (kWide > 8) all = join(all, across<8>(all));
  if constexpr (kWide > 4) all = join(all, across<4>(all));
  all = join(all, across<2>(all));
  return join(all, across<1>(all))[0];
}
static inline float largest(const Float16& v) {
  return in_halves(v, [](const Floats& a, const Floats& b) { return a > b ? a : b; });
}

// NOLINTEND(misc-definitions-in-headers)
