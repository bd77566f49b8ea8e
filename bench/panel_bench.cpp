// The matrix products' kernels, each alone, on data in the nearest caches: what a core could do if memory
// gave all it asks for. `GMAC/s`: multiply-adds. `packed GB/s`: of weights as they lie in memory, to be held
// against a core's share of the bandwidth.
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/embedded/backend/cpu/packed_matrix.h"
#include "runners/model_files/block_formats.h"

namespace {

using namespace gpqa;

constexpr std::size_t kWidth = 2816;

enum class Form { bytes, words, floats };

// Scales of random bits are of any size: nothing here depends on what the numbers are.
PackedMatrix random_tile(const BlockFormat& format) {
  std::mt19937 random(1);
  std::vector<std::byte> rows(kTileRows * kWidth / format.elements * format.bytes);
  for (auto& byte : rows) byte = static_cast<std::byte>(random() & 0x3FU);
  PackedMatrix matrix(format, kWidth, kTileRows, 1);
  matrix.pack(0, 0, rows);
  return matrix;
}

void unpack(const PanelKernels& kernels, Form form, const PackedMatrix& matrix, std::size_t first,
            Panel& panel) {
  const auto function = form == Form::bytes   ? kernels.unpack_bytes
                        : form == Form::words ? kernels.unpack_words
                                              : kernels.unpack_floats;
  function(matrix.type(), matrix.tile(0, 0), kWidth, first, kPanelWidth, panel);
}

void unpack_bench(benchmark::State& state, const Kernels* kernels, BlockFormat format, Form form) {
  const PackedMatrix matrix = random_tile(format);
  const auto panel = std::make_unique<Panel>();
  for (auto _ : state)
    for (std::size_t first = 0; first < kWidth; first += kPanelWidth)
      unpack(kernels->panels, form, matrix, first, *panel);
  state.counters["packed GB/s"] = benchmark::Counter(static_cast<double>(matrix.bytes()) * 1e-9,
                                                     benchmark::Counter::kIsIterationInvariantRate);
}

void multiply_bench(benchmark::State& state, const Kernels* kernels, BlockFormat format, Form form) {
  const PackedMatrix matrix = random_tile(format);
  const auto panel = std::make_unique<Panel>();
  unpack(kernels->panels, form, matrix, 0, *panel);
  const auto tokens = static_cast<std::size_t>(state.range(0));
  std::vector<float> x(tokens * kPanelWidth, 0.5F);
  std::vector<ByteBlock> bytes(x.size() / kQuantBlock);
  std::vector<std::int16_t> words(x.size());
  std::vector<float> scales(tokens);
  std::vector<float> block_sums(x.size() / 32);
  std::vector<const ByteBlock*> byte_rows;
  std::vector<WordRow> word_rows;
  std::vector<const float*> float_rows;
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::size_t at = t * kPanelWidth;
    byte_rows.push_back(&bytes[at / kQuantBlock]);
    word_rows.push_back({&words[at], &scales[t], &block_sums[at / 32]});
    float_rows.push_back(&x[at]);
  }
  std::vector<float> sums(tokens * kTileRows);
  const bool minimums = has_minimums(matrix.type());
  for (auto _ : state) {
    if (form == Form::bytes)
      kernels->panels.multiply_bytes(*panel, minimums, kPanelWidth, byte_rows.data(), tokens, sums.data());
    else if (form == Form::words)
      kernels->panels.multiply_words(*panel, minimums, kPanelWidth, word_rows.data(), tokens, sums.data());
    else
      kernels->panels.multiply_floats(*panel, kPanelWidth, float_rows.data(), tokens, sums.data());
    benchmark::ClobberMemory();
  }
  state.counters["GMAC/s"] = benchmark::Counter(static_cast<double>(tokens * kPanelWidth * kTileRows) * 1e-9,
                                                benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
  for (const Kernels* kernels : usable_kernels()) {
    const std::string name(kernels->name);
    for (const auto& [form, form_name] : {std::pair(Form::bytes, "bytes"), std::pair(Form::words, "words"),
                                          std::pair(Form::floats, "floats")}) {
      if (form == Form::bytes && kernels->panels.unpack_bytes == nullptr) continue;
      for (const std::uint32_t type : {8U, 14U, 12U, 13U, 2U, 6U, 30U}) {
        const auto format = *block_format(type);
        if (is_float_type(type) && form != Form::floats) continue;
        benchmark::RegisterBenchmark((name + "/unpack_" + form_name + "/" + std::string(format.name)).c_str(),
                                     unpack_bench, kernels, format, form);
      }
      // Q6_K for the formats without minimums, Q4_K for those with.
      for (const std::uint32_t type : {14U, 12U})
        benchmark::RegisterBenchmark(
            (name + "/multiply_" + form_name + "/" + (has_minimums(type) ? "minimums" : "plain")).c_str(),
            multiply_bench, kernels, *block_format(type), form)
            ->Arg(1)
            ->Arg(2)
            ->Arg(4)
            ->Arg(8)
            ->Arg(64);
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
