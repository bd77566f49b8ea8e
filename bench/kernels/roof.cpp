#include "bench/kernels/roof.h"

#include <algorithm>
#include <chrono>
#include <string_view>

namespace gpqa_bench {
namespace {

using Loop = void (*)(std::size_t times, const void* line);

#ifdef __x86_64__
// Twelve instructions that don't wait for each other: an addition takes up to five cycles, of which two begin
// in each. All registers are 0, since strange numbers are slow.
#define GPQA_LOOP(name, zeros, body, end)                                                                  \
  void name(std::size_t times, const void* line) {                                                         \
    asm volatile(zeros "1:\n" body "dec %0\njnz 1b\n" end                                                  \
                 : "+&r"(times)                                                                            \
                 : "r"(line)                                                                               \
                 : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
                   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");                          \
  }
// op(size, register)
#define GPQA_SIX(op, s, a, b, c, d, e, f) op(s, a) op(s, b) op(s, c) op(s, d) op(s, e) op(s, f)
#define GPQA_TWELVE(op, s) GPQA_SIX(op, s, 0, 1, 2, 3, 4, 5) GPQA_SIX(op, s, 6, 7, 8, 9, 10, 11)
#define GPQA_SIX_PAIRS(a, b, s) \
  a(s, 0) b(s, 6) a(s, 1) b(s, 7) a(s, 2) b(s, 8) a(s, 3) b(s, 9) a(s, 4) b(s, 10) a(s, 5) b(s, 11)

#define GPQA_PXOR(s, i) "pxor %%" s #i ",%%" s #i "\n"
#define GPQA_SSE_ZEROS GPQA_TWELVE(GPQA_PXOR, "xmm") GPQA_PXOR("xmm", 14) GPQA_PXOR("xmm", 15)
#define GPQA_SSE_MUL(s, i) "mulps %%" s "14,%%" s #i "\n"
#define GPQA_SSE_ADD(s, i) "addps %%" s "14,%%" s #i "\n"
#define GPQA_SSE_MADD(s, i) "pmaddwd %%" s "14,%%" s #i "\n"
#define GPQA_SSE_SUM(s, i) "paddd %%" s "14,%%" s #i "\n"
#define GPQA_SSE_READ(s, i) "movdqa (%1),%%" s #i "\n"
GPQA_LOOP(sse_floats, GPQA_SSE_ZEROS, GPQA_SIX_PAIRS(GPQA_SSE_MUL, GPQA_SSE_ADD, "xmm"), "")
GPQA_LOOP(sse_words, GPQA_SSE_ZEROS, GPQA_SIX_PAIRS(GPQA_SSE_MADD, GPQA_SSE_SUM, "xmm"), "")
GPQA_LOOP(sse_read, "", GPQA_TWELVE(GPQA_SSE_READ, "xmm"), "")

#define GPQA_OP(op, s, i) op " %%" s "14,%%" s "15,%%" s #i "\n"
#define GPQA_CHAIN(op, s, i) op " %%" s "14,%%" s #i ",%%" s #i "\n"
#define GPQA_FMA(s, i) GPQA_OP("vfmadd231ps", s, i)
#define GPQA_FOUR(s, i) GPQA_OP("vpmaddubsw", s, i)
#define GPQA_PAIR(s, i) GPQA_OP("vpmaddwd", s, i)
#define GPQA_SUM16(s, i) GPQA_CHAIN("vpaddw", s, i)
#define GPQA_SUM(s, i) GPQA_CHAIN("vpaddd", s, i)
// Without AVX-512's prefix, where AVX-VNNI has the instruction.
#define GPQA_VEX_WORDS(s, i) GPQA_OP("%{vex%} vpdpwssd", s, i)
#define GPQA_VEX_BYTES(s, i) GPQA_OP("%{vex%} vpdpbusd", s, i)
#define GPQA_VNNI_WORDS(s, i) GPQA_OP("vpdpwssd", s, i)
#define GPQA_VNNI_BYTES(s, i) GPQA_OP("vpdpbusd", s, i)
#define GPQA_READ(s, i) "vmovups (%1),%%" s #i "\n"
// The products of four registers' bytes, as they are made without VNNI.
#define GPQA_EIGHTS(s, a, b, sum) GPQA_FOUR(s, a) GPQA_FOUR(s, b) GPQA_SUM16(s, sum)
#define GPQA_TO_SUM(s, pair, sum) GPQA_PAIR(s, pair) GPQA_SUM(s, sum)
#define GPQA_BYTES_OF_FOUR(s) \
  GPQA_EIGHTS(s, 0, 1, 4) GPQA_EIGHTS(s, 2, 3, 5) GPQA_TO_SUM(s, 6, 8) GPQA_TO_SUM(s, 7, 9)

// name_floats(), name_words(), ...: `s` is ymm or zmm.
#define GPQA_LOOPS(name, s, vnni_words, vnni_bytes)                                           \
  GPQA_LOOP(name##_floats, "vzeroall\n", GPQA_TWELVE(GPQA_FMA, s), "vzeroupper")              \
  GPQA_LOOP(name##_words, "vzeroall\n", GPQA_SIX_PAIRS(GPQA_PAIR, GPQA_SUM, s), "vzeroupper") \
  GPQA_LOOP(name##_bytes, "vzeroall\n", GPQA_BYTES_OF_FOUR(s), "vzeroupper")                  \
  GPQA_LOOP(name##_vnni_words, "vzeroall\n", GPQA_TWELVE(vnni_words, s), "vzeroupper")        \
  GPQA_LOOP(name##_vnni_bytes, "vzeroall\n", GPQA_TWELVE(vnni_bytes, s), "vzeroupper")        \
  GPQA_LOOP(name##_read, "", GPQA_TWELVE(GPQA_READ, s), "vzeroupper")
GPQA_LOOPS(y, "ymm", GPQA_VEX_WORDS, GPQA_VEX_BYTES)
GPQA_LOOPS(z, "zmm", GPQA_VNNI_WORDS, GPQA_VNNI_BYTES)
#endif

// Per second, the best of some short runs: what disturbs them only makes them slower.
double rate(Loop loop, double amount) {
  constexpr std::size_t kTimes = 10000;
  alignas(64) static const std::byte line[64] = {};
  double best = 0;
  for (int run = 0; run < 5; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    loop(kTimes, line);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    best = std::max(best, amount * kTimes / took.count());
  }
  return best;
}

Roof roof_of([[maybe_unused]] std::string_view kernels) {
#ifdef __x86_64__
  if (kernels == "portable")
    return {rate(sse_floats, 6.0 * 4), rate(sse_words, 6.0 * 8), 0, rate(sse_read, 12.0 * 16)};
  if (kernels == "avx2")
    return {rate(y_floats, 12.0 * 8), rate(y_words, 6.0 * 16), rate(y_bytes, 4.0 * 32),
            rate(y_read, 12.0 * 32)};
  if (kernels == "avx_vnni")
    return {rate(y_floats, 12.0 * 8), rate(y_vnni_words, 12.0 * 16), rate(y_vnni_bytes, 12.0 * 32),
            rate(y_read, 12.0 * 32)};
  if (kernels == "avx512")
    return {rate(z_floats, 12.0 * 16), rate(z_words, 6.0 * 32), rate(z_bytes, 4.0 * 64),
            rate(z_read, 12.0 * 64)};
  if (kernels == "avx512_vnni")
    return {rate(z_floats, 12.0 * 16), rate(z_vnni_words, 12.0 * 32), rate(z_vnni_bytes, 12.0 * 64),
            rate(z_read, 12.0 * 64)};
#endif
  return {};
}

double products_of(const Roof& roof, Form form) {
  return form == Form::floats ? roof.floats : form == Form::words ? roof.words : roof.bytes;
}

}  // namespace

void measure(benchmark::State& state, const gpqa::Kernels& kernels, const Work& work, void (*body)(void*),
             void* with) {
  using Clock = std::chrono::steady_clock;
  const Roof before = roof_of(kernels.name);
  const auto begin = Clock::now();
  for (auto _ : state) {
    body(with);
    benchmark::ClobberMemory();
  }
  const std::chrono::duration<double> all = Clock::now() - begin;
  const Roof after = roof_of(kernels.name);
  const double took = all.count() / static_cast<double>(state.iterations());
  const auto set = [&](const char* name, double amount) {
    if (amount > 0) state.counters[name] = amount / took * 1e-9;
  };
  set("GMAC/s", work.products);
  set("GB/s", work.read);
  set("packed GB/s", work.packed_bytes);
  const double products = (products_of(before, work.form) + products_of(after, work.form)) / 2;
  const double read = (before.read + after.read) / 2;
  if (products > 0 && read > 0)
    state.counters["of roof"] = std::max(work.products / products, work.read / read) / took;
}

}  // namespace gpqa_bench
