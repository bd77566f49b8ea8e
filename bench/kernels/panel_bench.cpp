// The matrix products' kernels on data in the nearest caches: what a core could do if memory gave all it asks
// for.
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/kernels/benches.h"
#include "bench/kernels/roof.h"
#include "runners/embedded/backend/cpu/packed_matrix.h"
#include "runners/model_files/block_formats.h"

namespace gpqa_bench {
namespace {

using namespace gpqa;

constexpr std::size_t kWidth = 2816;

// Scales of random bits are of any size: nothing here depends on what the numbers are.
PackedMatrix random_tile(const BlockFormat& format) {
  std::mt19937 random(1);
  std::vector<std::byte> rows(kTileRows * kWidth / format.elements * format.bytes);
  for (auto& byte : rows) byte = static_cast<std::byte>(random() & 0x3FU);
  HugePages memory;
  PackedMatrix matrix(format, kWidth, kTileRows, 1, memory);
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

// Rows of activations in each form. What is in them doesn't matter.
struct Rows {
  Rows(std::size_t tokens, std::size_t width)
      : x(tokens * width, 0.5F),
        bytes(x.size() / kQuantBlock),
        words(x.size()),
        scales(x.size() / kPanelWidth),
        block_sums(x.size() / 32) {
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::size_t at = t * width;
      byte_rows.push_back(&bytes[at / kQuantBlock]);
      word_rows.push_back({&words[at], &scales[at / kPanelWidth], &block_sums[at / 32]});
      float_rows.push_back(&x[at]);
    }
  }
  std::vector<float> x;
  std::vector<ByteBlock> bytes;
  std::vector<std::int16_t> words;
  std::vector<float> scales, block_sums;
  std::vector<const ByteBlock*> byte_rows;
  std::vector<WordRow> word_rows;
  std::vector<const float*> float_rows;
};

void multiply(const PanelKernels& kernels, Form form, const PackedMatrix& matrix, const Panel& panel,
              std::size_t first, const Rows& rows, std::vector<float>& sums) {
  const std::size_t tokens = sums.size() / kTileRows;
  const bool minimums = has_minimums(matrix.type());
  if (form == Form::bytes)
    kernels.multiply_bytes(panel, minimums, first, kPanelWidth, rows.byte_rows.data(), tokens, sums.data());
  else if (form == Form::words)
    kernels.multiply_words(panel, minimums, first, kPanelWidth, rows.word_rows.data(), tokens, sums.data());
  else
    kernels.multiply_floats(panel, first, kPanelWidth, rows.float_rows.data(), tokens, sums.data());
}

Work work_of(Form form, std::size_t tokens, std::size_t width, std::size_t packed_bytes) {
  return {.form = form,
          .products = static_cast<double>(tokens * width * kTileRows),
          .read = static_cast<double>(packed_bytes),
          .packed_bytes = static_cast<double>(packed_bytes)};
}

void unpack_bench(benchmark::State& state, const Kernels* kernels, BlockFormat format, Form form) {
  const PackedMatrix matrix = random_tile(format);
  const auto panel = std::make_unique<Panel>();
  measure(state, *kernels, work_of(form, 0, kWidth, matrix.bytes()), [&] {
    for (std::size_t first = 0; first < kWidth; first += kPanelWidth)
      unpack(kernels->panels, form, matrix, first, *panel);
  });
}

// Weights, as many tokens as the benchmark wants, and their sums.
struct Product {
  Product(const benchmark::State& state, const BlockFormat& format, std::size_t width)
      : tokens(static_cast<std::size_t>(state.range(0))), matrix(random_tile(format)), rows(tokens, width) {}
  std::size_t tokens;
  PackedMatrix matrix;
  Rows rows;
  std::unique_ptr<Panel> panel = std::make_unique<Panel>();
  std::vector<float> sums = std::vector<float>(tokens * kTileRows);
};

// A panel that is unpacked.
void multiply_bench(benchmark::State& state, const Kernels* kernels, BlockFormat format, Form form) {
  Product p(state, format, kPanelWidth);
  unpack(kernels->panels, form, p.matrix, 0, *p.panel);
  measure(state, *kernels, work_of(form, p.tokens, kPanelWidth, 0),
          [&] { multiply(kernels->panels, form, p.matrix, *p.panel, 0, p.rows, p.sums); });
}

// A whole tile, straight from the cache into the sums.
void stream_bench(benchmark::State& state, const Kernels* kernels, BlockFormat format, Form form) {
  Product p(state, format, kWidth);
  const PanelKernels& panels = kernels->panels;
  const std::byte* tile = p.matrix.tile(0, 0);
  measure(state, *kernels, work_of(form, p.tokens, kWidth, p.matrix.bytes()), [&] {
    if (form == Form::bytes)
      panels.stream_bytes(format.id, tile, kWidth, p.rows.byte_rows.data(), p.tokens, *p.panel,
                          p.sums.data());
    else
      panels.stream_words(format.id, tile, kWidth, p.rows.word_rows.data(), p.tokens, *p.panel,
                          p.sums.data());
  });
}

// A whole tile for many tokens, whose activations lie beyond the nearest cache: panel after panel.
void tile_bench(benchmark::State& state, const Kernels* kernels, BlockFormat format, Form form) {
  Product p(state, format, kWidth);
  measure(state, *kernels, work_of(form, p.tokens, kWidth, p.matrix.bytes()), [&] {
    for (std::size_t first = 0; first < kWidth; first += kPanelWidth) {
      unpack(kernels->panels, form, p.matrix, first, *p.panel);
      multiply(kernels->panels, form, p.matrix, *p.panel, first, p.rows, p.sums);
    }
  });
}

void register_format(const Kernels& kernels, Form form, const std::string& form_name,
                     const BlockFormat& format) {
  const auto name = [&](const char* what) {
    return std::string(kernels.name) + "/" + what + "_" + form_name + "/" + std::string(format.name);
  };
  benchmark::RegisterBenchmark(name("unpack").c_str(), unpack_bench, &kernels, format, form);
  if (form == Form::floats) return;
  auto* stream = benchmark::RegisterBenchmark(name("stream").c_str(), stream_bench, &kernels, format, form);
  for (std::size_t tokens = 1; tokens <= kernels.panels.few; tokens *= 2)
    stream->Arg(static_cast<std::int64_t>(tokens));
  auto* tile = benchmark::RegisterBenchmark(name("tile").c_str(), tile_bench, &kernels, format, form);
  for (const int tokens : {16, 96, 512}) tile->Arg(tokens);
}

}  // namespace

void register_panels(const Kernels& kernels) {
  for (const Form form : {Form::bytes, Form::words, Form::floats}) {
    const std::string form_name = form == Form::bytes ? "bytes" : form == Form::words ? "words" : "floats";
    const auto has = [&](std::uint32_t type) {
      if (is_float_type(type)) return form == Form::floats;
      return form != Form::bytes || kernels.panels.multiplies_bytes(type);
    };
    for (const std::uint32_t type : {8U, 14U, 12U, 13U, 2U, 6U, 30U})
      if (has(type)) register_format(kernels, form, form_name, *block_format(type));
    // Q6_K for the formats without minimums, Q4_K for those with.
    for (const std::uint32_t type : {14U, 12U}) {
      if (!has(type)) continue;
      const std::string name = std::string(kernels.name) + "/multiply_" + form_name + "/" +
                               (has_minimums(type) ? "minimums" : "plain");
      auto* bench =
          benchmark::RegisterBenchmark(name.c_str(), multiply_bench, &kernels, *block_format(type), form);
      for (const int tokens : {1, 2, 4, 8, 64}) bench->Arg(tokens);
    }
  }
}

}  // namespace gpqa_bench
