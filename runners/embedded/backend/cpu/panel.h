// What the matrix products are made of. Weights lie in tiles of sixteen rows (packed_matrix.h); up to 256
// columns of a tile at a time are unpacked into a panel, which stays in the nearest cache while the tokens
// pass.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gpqa {

constexpr std::size_t kTileRows = 16;
constexpr std::size_t kPanelWidth = 256;

// Activations that share a scale at 8 bits. Half of what llama.cpp takes together: the rounding is smaller by
// a sixth, and fewer near-ties of the router fall to the other side.
constexpr std::size_t kQuantBlock = 16;

// 256 columns of sixteen rows. Integers are the format's own, w[row][k] = scales[k/16][row] * integer -
// minimums[k/32][row]; of the three forms of them only the one that was asked for is filled. The order in a
// line, and what is added to bytes, is between the kernels of one instruction set (tile_impl.h).
struct Panel {
  alignas(64) std::uint8_t bytes[kPanelWidth * kTileRows];  // [k/4][row][k%4], the format's offset added
  alignas(64) std::int16_t words[kPanelWidth * kTileRows];  // [k/4][k%2][row][k%4/2]: a pair is k and k + 2
  alignas(64) float floats[kPanelWidth * kTileRows];        // [k][row], scales and minimums applied
  alignas(64) float scales[kPanelWidth / 16 * kTileRows];
  alignas(64) float minimums[kPanelWidth / 32 * kTileRows];
  // What will be unpacked after this: products ask memory for it while they compute.
  const std::byte* next;
  std::size_t next_bytes;
};

// Sixteen activations at 8 bits: x[k] ~ values[k] * scale. All that a product needs of them lies together: a
// kernel that serves eight tokens has no registers for more than eight addresses.
struct ByteBlock {
  std::int8_t values[kQuantBlock];
  float scale;
  std::int32_t start;  // what the block's products begin with: less the weights' offset times its sum
  float sum;           // of values * scale
  std::int32_t unused = 0;
};

// Activations at 16 bits, as good as exact: x[k] ~ values * scales[k / 256].
struct WordRow {
  std::int16_t* values;  // [k/4][k%2][k%4/2]: as Panel::words
  float* scales;
  float* sums;  // [k/32] of the values
};

// Of one instruction set. Each sum is a function of its own row and token only: the same operations in the
// same order, however many tokens come at once. `type`: ggml's id. `packed`: the tile; columns [first, first
// + width), at most 256, whole blocks. `tokens` begin at column 0. `sums` [tokens, 16] grow by what the
// panel's columns give.
struct PanelKernels {
  // Whether there are functions for bytes, where 8-bit activations are faster than those of 16 bits: the
  // others are null, or never called with such weights.
  bool (*multiplies_bytes)(std::uint32_t type) = nullptr;
  // A whole tile for `count` tokens, 1 to `few`, at once; the panel is scratch. The same sums, to the bit, as
  // with unpack and multiply for one panel after the other.
  std::size_t few = 0;
  void (*stream_bytes)(std::uint32_t type, const std::byte* packed, std::size_t row_width,
                       const ByteBlock* const* tokens, std::size_t count, Panel& panel,
                       float* sums) = nullptr;
  void (*stream_words)(std::uint32_t type, const std::byte* packed, std::size_t row_width,
                       const WordRow* tokens, std::size_t count, Panel& panel, float* sums) = nullptr;
  void (*unpack_bytes)(std::uint32_t type, const std::byte* packed, std::size_t row_width, std::size_t first,
                       std::size_t width, Panel& panel) = nullptr;
  void (*unpack_words)(std::uint32_t type, const std::byte* packed, std::size_t row_width, std::size_t first,
                       std::size_t width, Panel& panel) = nullptr;
  void (*unpack_floats)(std::uint32_t type, const std::byte* packed, std::size_t row_width, std::size_t first,
                        std::size_t width, Panel& panel) = nullptr;
  void (*multiply_bytes)(const Panel& panel, bool minimums, std::size_t first, std::size_t width,
                         const ByteBlock* const* tokens, std::size_t count, float* sums) = nullptr;
  void (*multiply_words)(const Panel& panel, bool minimums, std::size_t first, std::size_t width,
                         const WordRow* tokens, std::size_t count, float* sums) = nullptr;
  void (*multiply_floats)(const Panel& panel, std::size_t first, std::size_t width,
                          const float* const* tokens, std::size_t count, float* sums) = nullptr;
  // To be multiplied with weights of this type.
  void (*quantize_bytes)(const float* x, std::size_t width, std::uint32_t type, ByteBlock* out) = nullptr;
  void (*quantize_words)(const float* x, std::size_t width, WordRow out) = nullptr;
};

}  // namespace gpqa
