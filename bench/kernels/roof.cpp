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
                 : "+r"(times)                                                                             \
                 : "r"(line)                                                                               \
                 : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
                   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");                          \
  }
#define GPQA_TWELVE(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)
#define GPQA_SIX_PAIRS(a, b) a(0) b(6) a(1) b(7) a(2) b(8) a(3) b(9) a(4) b(10) a(5) b(11)

#define GPQA_PXOR(i) "pxor %%xmm" #i ",%%xmm" #i "\n"
#define GPQA_SSE_ZEROS GPQA_TWELVE(GPQA_PXOR) GPQA_PXOR(14) GPQA_PXOR(15)
#define GPQA_SSE_MUL(i) "mulps %%xmm14,%%xmm" #i "\n"
#define GPQA_SSE_ADD(i) "addps %%xmm14,%%xmm" #i "\n"
#define GPQA_SSE_MADD(i) "pmaddwd %%xmm14,%%xmm" #i "\n"
#define GPQA_SSE_SUM(i) "paddd %%xmm14,%%xmm" #i "\n"
#define GPQA_SSE_READ(i) "movdqa (%1),%%xmm" #i "\n"
GPQA_LOOP(sse_floats, GPQA_SSE_ZEROS, GPQA_SIX_PAIRS(GPQA_SSE_MUL, GPQA_SSE_ADD), "")
GPQA_LOOP(sse_words, GPQA_SSE_ZEROS, GPQA_SIX_PAIRS(GPQA_SSE_MADD, GPQA_SSE_SUM), "")
GPQA_LOOP(sse_read, "", GPQA_TWELVE(GPQA_SSE_READ), "")

// ymm or zmm
#define GPQA_OP(prefix, op, size, i) prefix op " %%" size "14,%%" size "15,%%" size #i "\n"
#define GPQA_CHAIN(op, size, i) op " %%" size "14,%%" size #i ",%%" size #i "\n"
// 4 * 32 or 4 * 64 bytes' products, as AVX2 makes them.
#define GPQA_FOURS(size)             \
  GPQA_OP("", "vpmaddubsw", size, 0) \
  GPQA_OP("", "vpmaddubsw", size, 1) \
  GPQA_CHAIN("vpaddw", size, 4)      \
  GPQA_OP("", "vpmaddubsw", size, 2) \
  GPQA_OP("", "vpmaddubsw", size, 3) \
  GPQA_CHAIN("vpaddw", size, 5)      \
  GPQA_OP("", "vpmaddwd", size, 6)   \
  GPQA_OP("", "vpmaddwd", size, 7)   \
  GPQA_CHAIN("vpaddd", size, 8)      \
  GPQA_CHAIN("vpaddd", size, 9)
#define GPQA_Y_FMA(i) GPQA_OP("", "vfmadd231ps", "ymm", i)
#define GPQA_Y_MADD(i) GPQA_OP("", "vpmaddwd", "ymm", i)
#define GPQA_Y_SUM(i) GPQA_CHAIN("vpaddd", "ymm", i)
#define GPQA_Y_WORDS(i) GPQA_OP("%{vex%} ", "vpdpwssd", "ymm", i)
#define GPQA_Y_BYTES(i) GPQA_OP("%{vex%} ", "vpdpbusd", "ymm", i)
#define GPQA_Y_READ(i) "vmovdqa (%1),%%ymm" #i "\n"
GPQA_LOOP(y_floats, "vzeroall\n", GPQA_TWELVE(GPQA_Y_FMA), "vzeroupper")
GPQA_LOOP(y_words, "vzeroall\n", GPQA_SIX_PAIRS(GPQA_Y_MADD, GPQA_Y_SUM), "vzeroupper")
GPQA_LOOP(y_bytes, "vzeroall\n", GPQA_FOURS("ymm"), "vzeroupper")
GPQA_LOOP(y_vnni_words, "vzeroall\n", GPQA_TWELVE(GPQA_Y_WORDS), "vzeroupper")
GPQA_LOOP(y_vnni_bytes, "vzeroall\n", GPQA_TWELVE(GPQA_Y_BYTES), "vzeroupper")
GPQA_LOOP(y_read, "", GPQA_TWELVE(GPQA_Y_READ), "vzeroupper")
#define GPQA_Z_FMA(i) GPQA_OP("", "vfmadd231ps", "zmm", i)
#define GPQA_Z_MADD(i) GPQA_OP("", "vpmaddwd", "zmm", i)
#define GPQA_Z_SUM(i) GPQA_CHAIN("vpaddd", "zmm", i)
#define GPQA_Z_WORDS(i) GPQA_OP("", "vpdpwssd", "zmm", i)
#define GPQA_Z_BYTES(i) GPQA_OP("", "vpdpbusd", "zmm", i)
#define GPQA_Z_READ(i) "vmovdqa64 (%1),%%zmm" #i "\n"
GPQA_LOOP(z_floats, "vzeroall\n", GPQA_TWELVE(GPQA_Z_FMA), "vzeroupper")
GPQA_LOOP(z_words, "vzeroall\n", GPQA_SIX_PAIRS(GPQA_Z_MADD, GPQA_Z_SUM), "vzeroupper")
GPQA_LOOP(z_bytes, "vzeroall\n", GPQA_FOURS("zmm"), "vzeroupper")
GPQA_LOOP(z_vnni_words, "vzeroall\n", GPQA_TWELVE(GPQA_Z_WORDS), "vzeroupper")
GPQA_LOOP(z_vnni_bytes, "vzeroall\n", GPQA_TWELVE(GPQA_Z_BYTES), "vzeroupper")
GPQA_LOOP(z_read, "", GPQA_TWELVE(GPQA_Z_READ), "vzeroupper")
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
