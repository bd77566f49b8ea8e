// The matrix products of every instruction set, to the bit, against loops that do the same operations in
// the same order, one number at a time. Nothing but the kernels is needed here, so that they can be tested
// for other processors too.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/embedded/backend/cpu/packed_matrix.h"
#include "runners/model_files/block_formats.h"
#include "tests/catch.h"
#include "tests/runners/embedded/backend/cpu/random_blocks.h"

using namespace gpqa;
using gpqa_test::BlockRow;

namespace {

constexpr std::size_t kTokens = 15;  // 8 + 4 + 2 + 1

struct Tile {
  template <class MakeRow>
  Tile(const BlockFormat& format, std::size_t columns, const MakeRow& make_row)
      : matrix(format, columns, kTileRows, 1, memory) {
    std::vector<std::byte> file;
    for (std::size_t r = 0; r < kTileRows; ++r) {
      rows.push_back(make_row());
      file.insert(file.end(), rows.back().file.begin(), rows.back().file.end());
    }
    matrix.pack(0, 0, file);
  }
  std::uint32_t type() const { return matrix.type(); }
  const std::byte* packed() const { return matrix.tile(0, 0); }
  std::size_t width() const { return matrix.width(); }
  std::vector<BlockRow> rows;
  HugePages memory;
  PackedMatrix matrix;
};

// Activations of all sizes, and a block of nothing but zeros.
std::vector<float> random_activations(std::size_t width, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> all(kTokens * width);
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = i / 16 % 7 == 3 ? 0.0F : normal(random) * std::exp2(static_cast<float>(i / 64 % 9) - 4);
  return all;
}

// Whether a product and a sum are rounded once.
bool is_fused([[maybe_unused]] const Kernels& kernels) {
#ifdef __aarch64__
  return true;
#else
  return kernels.name != "portable";
#endif
}

float add_product(float a, float b, float to, bool fused) {
  if (fused) return std::fma(a, b, to);
  const float product = a * b;
  return product + to;
}

// A token's sixteen sums grow by what columns [first, first + width) give.
void add_bytes(const Tile& tile, std::size_t first, std::size_t width, const ByteBlock* blocks, float* sums) {
  for (std::size_t r = 0; r < kTileRows; ++r) {
    const BlockRow& row = tile.rows[r];
    for (std::size_t k = first; k < first + width; k += kQuantBlock) {
      const ByteBlock& x = blocks[k / kQuantBlock];
      int product = 0;
      for (std::size_t i = 0; i < kQuantBlock; ++i) product += row.integers[k + i] * x.values[i];
      sums[r] = std::fma(static_cast<float>(product), row.scales[k / 16] * x.scale, sums[r]);
      if (!row.minimums.empty()) sums[r] = std::fma(row.minimums[k / 32], -x.sum, sums[r]);
    }
  }
}

struct Words {
  explicit Words(std::size_t width) : values(width), scales((width + 255) / 256), sums(width / 32) {}
  WordRow row() { return {values.data(), scales.data(), sums.data()}; }
  std::int16_t value(std::size_t k) const { return values[k / 4 * 4 + k % 2 * 2 + k % 4 / 2]; }
  std::vector<std::int16_t> values;
  std::vector<float> scales, sums;
};

void add_words(const Tile& tile, std::size_t first, std::size_t width, const Words& x, bool fused,
               float* sums) {
  for (std::size_t r = 0; r < kTileRows; ++r) {
    const BlockRow& row = tile.rows[r];
    float total = 0;
    for (std::size_t k = first; k < first + width; k += 16) {
      int product = 0;
      for (std::size_t i = k; i < k + 16; ++i) product += row.integers[i] * x.value(i);
      total = add_product(static_cast<float>(product), row.scales[k / 16], total, fused);
    }
    if (!row.minimums.empty())
      for (std::size_t k = first; k < first + width; k += 32)
        total = add_product(row.minimums[k / 32], -x.sums[k / 32], total, fused);
    sums[r] = add_product(total, x.scales[first / kPanelWidth], sums[r], fused);
  }
}

void add_floats(const Tile& tile, std::size_t first, std::size_t width, const float* x, bool fused,
                float* sums) {
  for (std::size_t r = 0; r < kTileRows; ++r) {
    const BlockRow& row = tile.rows[r];
    float halves[2] = {};  // of the even columns, and of the odd ones
    for (std::size_t k = first; k < first + width; ++k) {
      const float product = static_cast<float>(row.integers[k]) * row.scales[k / 16];
      const float weight = row.minimums.empty() ? product : product - row.minimums[k / 32];
      halves[k % 2] = add_product(weight, x[k], halves[k % 2], fused);
    }
    sums[r] += halves[0] + halves[1];
  }
}

// What `add` makes of each token, panel after panel.
template <class Add>
std::vector<float> expected_sums(std::size_t width, const Add& add) {
  std::vector<float> sums(kTokens * kTileRows);
  for (std::size_t first = 0; first < width; first += kPanelWidth)
    for (std::size_t t = 0; t < kTokens; ++t)
      add(t, first, std::min(kPanelWidth, width - first), sums.data() + t * kTileRows);
  return sums;
}

// Those of the first `count` tokens, panel after panel: multiply(first column, width, sums).
template <class Multiply>
void check_panels(const std::vector<float>& expected, std::size_t width, const Multiply& multiply) {
  std::vector<float> sums(kTokens * kTileRows);
  for (std::size_t first = 0; first < width; first += kPanelWidth)
    multiply(first, std::min(kPanelWidth, width - first), sums.data());
  CHECK(std::memcmp(sums.data(), expected.data(), sums.size() * sizeof(float)) == 0);
}

// Streamed, as many tokens at once as there may be: stream(count, sums).
template <class Stream>
void check_streams(const std::vector<float>& expected, std::size_t few, const Stream& stream) {
  REQUIRE(few > 0);
  for (std::size_t count = 1; count <= few; ++count) {
    std::vector<float> sums(count * kTileRows);
    stream(count, sums.data());
    INFO(count << " tokens");
    CHECK(std::memcmp(sums.data(), expected.data(), sums.size() * sizeof(float)) == 0);
  }
}

Tile random_tile() {
  const auto type = GENERATE(2U, 6U, 8U, 12U, 13U, 14U);  // ggml's ids
  const auto format = *block_format(type);
  const std::size_t columns =
      format.elements == 256 ? 512 : 352;  // a panel that isn't full, if blocks allow it
  std::mt19937 random(format.id);
  return {format, columns, [&] { return gpqa_test::random_row(format, columns, random); }};
}

}  // namespace

TEST_CASE("products of bytes have the same bits on every instruction set that has them") {
  const Tile tile = random_tile();
  const auto x = random_activations(tile.width(), tile.type());
  for (const Kernels* kernels : usable_kernels()) {
    if (!kernels->panels.multiplies_bytes(tile.type())) continue;
    INFO(kernels->name << ", " << block_format(tile.type())->name);
    const std::size_t blocks = tile.width() / kQuantBlock;
    std::vector<ByteBlock> rows(kTokens * blocks);
    for (std::size_t t = 0; t < kTokens; ++t)
      kernels->panels.quantize_bytes(x.data() + t * tile.width(), tile.width(), tile.type(),
                                     rows.data() + t * blocks);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      int sum = 0;
      float off = 0;
      for (std::size_t j = 0; j < kQuantBlock; ++j) {
        sum += rows[i].values[j];
        const float back = static_cast<float>(rows[i].values[j]) * rows[i].scale;
        off = std::max(off, std::abs(back - x[i * kQuantBlock + j]));
      }
      CHECK(off <= rows[i].scale * 0.50002F);  // and what the division and the product round
      CHECK(rows[i].sum == rows[i].scale * static_cast<float>(sum));
    }
    const auto expected =
        expected_sums(tile.width(), [&](std::size_t t, std::size_t first, std::size_t width, float* sums) {
          add_bytes(tile, first, width, rows.data() + t * blocks, sums);
        });
    const auto panel = std::make_unique<Panel>();
    std::vector<const ByteBlock*> tokens(kTokens);
    for (std::size_t t = 0; t < kTokens; ++t) tokens[t] = &rows[t * blocks];
    check_panels(expected, tile.width(), [&](std::size_t first, std::size_t width, float* sums) {
      kernels->panels.unpack_bytes(tile.type(), tile.packed(), tile.width(), first, width, *panel);
      kernels->panels.multiply_bytes(*panel, has_minimums(tile.type()), first, width, tokens.data(), kTokens,
                                     sums);
    });
    check_streams(expected, kernels->panels.few, [&](std::size_t count, float* sums) {
      kernels->panels.stream_bytes(tile.type(), tile.packed(), tile.width(), tokens.data(), count, *panel,
                                   sums);
    });
  }
}

// Q6_K's are the largest that are added in 16 bits: 4 * 63 * 127 of 32,767.
TEST_CASE("products of the largest bytes are not cut off") {
  const auto format = *block_format(14);
  const Tile tile(format, 256, [&] {
    BlockRow row{std::vector<int>(256, 31), std::vector<float>(16, 1.0F), {}, {}};
    row.file.assign(format.bytes, std::byte{0xFF});
    std::fill_n(row.file.begin() + 192, 16, std::byte{1});  // the scales
    row.file[208] = std::byte{0};                           // 1 as float16
    row.file[209] = std::byte{0x3C};
    return row;
  });
  const float size = GENERATE(1.0F, -1.0F);
  const std::vector<float> x(tile.width(), size);
  for (const Kernels* kernels : usable_kernels()) {
    if (!kernels->panels.multiplies_bytes(tile.type())) continue;
    INFO(kernels->name);
    std::vector<ByteBlock> row(tile.width() / kQuantBlock);
    kernels->panels.quantize_bytes(x.data(), tile.width(), tile.type(), row.data());
    REQUIRE(static_cast<float>(row[0].values[0]) == 127 * size);
    const auto expected =
        expected_sums(tile.width(), [&](std::size_t, std::size_t first, std::size_t width, float* sums) {
          add_bytes(tile, first, width, row.data(), sums);
        });
    const auto panel = std::make_unique<Panel>();
    const std::vector<const ByteBlock*> tokens(kTokens, row.data());
    check_panels(expected, tile.width(), [&](std::size_t first, std::size_t width, float* sums) {
      kernels->panels.unpack_bytes(tile.type(), tile.packed(), tile.width(), first, width, *panel);
      kernels->panels.multiply_bytes(*panel, false, first, width, tokens.data(), kTokens, sums);
    });
    CHECK(expected[0] == Approx(31 * 256 * size));
  }
}

TEST_CASE("products of words are rounded in one order") {
  const Tile tile = random_tile();
  const auto x = random_activations(tile.width(), tile.type());
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name << ", " << block_format(tile.type())->name);
    std::vector<Words> rows(kTokens, Words(tile.width()));
    for (std::size_t t = 0; t < kTokens; ++t) {
      kernels->panels.quantize_words(x.data() + t * tile.width(), tile.width(), rows[t].row());
      float off = 0;  // in units of what the panel's largest is rounded to
      for (std::size_t k = 0; k < tile.width(); ++k) {
        const float scale = rows[t].scales[k / kPanelWidth];
        off = std::max(
            off, std::abs(static_cast<float>(rows[t].value(k)) * scale - x[t * tile.width() + k]) / scale);
      }
      CHECK(off < 0.51F);  // float32 rounds 32767 to 1/512
    }
    const auto expected =
        expected_sums(tile.width(), [&](std::size_t t, std::size_t first, std::size_t width, float* sums) {
          add_words(tile, first, width, rows[t], is_fused(*kernels), sums);
        });
    const auto panel = std::make_unique<Panel>();
    std::vector<WordRow> tokens(kTokens);
    for (std::size_t t = 0; t < kTokens; ++t) tokens[t] = rows[t].row();
    check_panels(expected, tile.width(), [&](std::size_t first, std::size_t width, float* sums) {
      kernels->panels.unpack_words(tile.type(), tile.packed(), tile.width(), first, width, *panel);
      kernels->panels.multiply_words(*panel, has_minimums(tile.type()), first, width, tokens.data(), kTokens,
                                     sums);
    });
    check_streams(expected, kernels->panels.few, [&](std::size_t count, float* sums) {
      kernels->panels.stream_words(tile.type(), tile.packed(), tile.width(), tokens.data(), count, *panel,
                                   sums);
    });
  }
}

TEST_CASE("products of floats are rounded in one order") {
  const Tile tile = random_tile();
  const auto x = random_activations(tile.width(), tile.type());
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name << ", " << block_format(tile.type())->name);
    const auto expected =
        expected_sums(tile.width(), [&](std::size_t t, std::size_t first, std::size_t width, float* sums) {
          add_floats(tile, first, width, x.data() + t * tile.width(), is_fused(*kernels), sums);
        });
    const auto panel = std::make_unique<Panel>();
    std::vector<const float*> tokens(kTokens);
    for (std::size_t t = 0; t < kTokens; ++t) tokens[t] = x.data() + t * tile.width();
    check_panels(expected, tile.width(), [&](std::size_t first, std::size_t width, float* sums) {
      kernels->panels.unpack_floats(tile.type(), tile.packed(), tile.width(), first, width, *panel);
      kernels->panels.multiply_floats(*panel, first, width, tokens.data(), kTokens, sums);
    });
  }
}
