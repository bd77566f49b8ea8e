// What is done to each row of activations, at the model's width. Their roof is reading: it is far above those
// that take exponentials.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/kernels/benches.h"
#include "bench/kernels/roof.h"

namespace gpqa_bench {
namespace {

using namespace gpqa;

constexpr std::size_t kWidth = 2816;

// of(kernels, out, x, y), `inputs` rows of which are read.
template <class Of>
void add(const Kernels& kernels, const char* what, double inputs, double products, const Of& of) {
  const auto bench = [&kernels, inputs, products, of](benchmark::State& state) {
    std::vector<float> out(kWidth);
    std::vector<float> x(kWidth, 0.5F);
    std::vector<float> y(kWidth, 0.25F);
    measure(state, kernels,
            {.products = products * kWidth, .read = inputs * static_cast<double>(kWidth * sizeof(float))},
            [&] { of(kernels, out.data(), x.data(), y.data()); });
  };
  benchmark::RegisterBenchmark((std::string(kernels.name) + "/" + what).c_str(), bench);
}

}  // namespace

void register_rows(const Kernels& all) {
  add(all, "dot", 2, 1, [](const Kernels& kernels, float*, const float* x, const float* y) {
    benchmark::DoNotOptimize(kernels.dot(x, y, kWidth));
  });
  add(all, "add_scaled", 2, 1, [](const Kernels& kernels, float* out, const float* x, const float*) {
    kernels.add_scaled(out, x, 1e-6F, kWidth);
  });
  add(all, "rms_norm", 3, 2, [](const Kernels& kernels, float* out, const float* x, const float* y) {
    kernels.rms_norm(out, x, y, 1e-6F, kWidth);
  });
  add(all, "gelu_multiply", 2, 0, [](const Kernels& kernels, float* out, const float* x, const float* y) {
    kernels.gelu_multiply(out, x, y, kWidth);
  });
  add(all, "softcap", 1, 0, [](const Kernels& kernels, float* out, const float*, const float*) {
    kernels.softcap(out, 30, kWidth);
  });
  add(all, "softmax", 1, 0,
      [](const Kernels& kernels, float* out, const float*, const float*) { kernels.softmax(out, kWidth); });
  add(all, "quantize_words", 1, 0, [](const Kernels& kernels, float*, const float* x, const float*) {
    static std::vector<std::int16_t> values(kWidth);
    static std::vector<float> scales(kWidth / kPanelWidth);
    static std::vector<float> sums(kWidth / 32);
    kernels.panels.quantize_words(x, kWidth, {values.data(), scales.data(), sums.data()});
  });
  if (all.panels.multiplies_bytes(14))  // Q6_K
    add(all, "quantize_bytes", 1, 0, [](const Kernels& kernels, float*, const float* x, const float*) {
      static std::vector<ByteBlock> blocks(kWidth / kQuantBlock);
      kernels.panels.quantize_bytes(x, kWidth, 14, blocks.data());
    });
}

}  // namespace gpqa_bench
