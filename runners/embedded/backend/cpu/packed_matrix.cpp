#include "runners/embedded/backend/cpu/packed_matrix.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "runners/embedded/backend/cpu/panel.h"

namespace gpqa {
namespace {

enum Type : std::uint32_t {  // ggml's ids
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ5_0 = 6,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBf16 = 30
};

constexpr std::size_t kCacheLine = 64;

unsigned byte_at(const std::byte* bytes, std::size_t i) {
  return static_cast<unsigned>(bytes[i]);
}
std::uint8_t to_byte(unsigned value) {
  return static_cast<std::uint8_t>(value);
}
std::uint32_t four(const std::uint8_t* from) {
  std::uint32_t all;
  std::memcpy(&all, from, sizeof all);
  return all;
}

// ---- A row's block as integers, in the order of its columns. Layouts: ggml's block formats.

void integers_8(const std::byte* block, std::uint8_t* q) {
  for (std::size_t i = 0; i < 32; ++i) q[i] = to_byte(byte_at(block, 2 + i) ^ 0x80U);
}
// 32 columns: the first sixteen in the low halves of sixteen bytes, the others in the high ones.
void integers_4(const std::byte* nibbles, std::uint8_t* q) {
  for (std::size_t i = 0; i < 16; ++i) {
    q[i] = to_byte(byte_at(nibbles, i) & 15U);
    q[i + 16] = to_byte(byte_at(nibbles, i) >> 4);
  }
}
void integers_5(const std::byte* block, std::uint8_t* q) {
  integers_4(block + 6, q);
  std::uint32_t high;
  std::memcpy(&high, block + 2, sizeof high);
  for (std::size_t i = 0; i < 32; ++i) q[i] = to_byte(q[i] | (((high >> i) & 1U) << 4));
}
// 64 columns at a time: the first 32 in the low halves of 32 bytes.
void integers_4_k(const std::byte* nibbles, std::uint8_t* q) {
  for (std::size_t g = 0; g < 4; ++g)
    for (std::size_t i = 0; i < 32; ++i) {
      q[g * 64 + i] = to_byte(byte_at(nibbles, g * 32 + i) & 15U);
      q[g * 64 + i + 32] = to_byte(byte_at(nibbles, g * 32 + i) >> 4);
    }
}
void integers_5_k(const std::byte* block, std::uint8_t* q) {
  integers_4_k(block + 48, q);
  for (std::size_t g = 0; g < 8; ++g)  // bit g of each of the 32
    for (std::size_t i = 0; i < 32; ++i)
      q[g * 32 + i] = to_byte(q[g * 32 + i] | (((byte_at(block, 16 + i) >> g) & 1U) << 4));
}
void integers_6_k(const std::byte* block, std::uint8_t* q) {
  for (std::size_t g = 0; g < 2; ++g, q += 128) {
    const std::byte* low = block + g * 64;
    const std::byte* high = block + 128 + g * 32;
    for (std::size_t i = 0; i < 32; ++i) {
      const unsigned bits = byte_at(high, i);
      q[i] = to_byte((byte_at(low, i) & 15U) | ((bits & 3U) << 4));
      q[i + 32] = to_byte((byte_at(low, i + 32) & 15U) | ((bits & 12U) << 2));
      q[i + 64] = to_byte((byte_at(low, i) >> 4) | (bits & 48U));
      q[i + 96] = to_byte((byte_at(low, i + 32) >> 4) | ((bits & 192U) >> 2));
    }
  }
}

// ---- Into the tile: `to` is the row's four bytes of the first group.

void put(std::byte* to, std::size_t line, std::uint32_t bytes) {
  std::memcpy(to + line * kCacheLine, &bytes, sizeof bytes);
}
void pack_8(const std::uint8_t* q, std::byte* to) {
  for (std::size_t g = 0; g < 8; ++g) put(to, g, four(q + 4 * g));
}
void pack_4(const std::uint8_t* q, std::byte* to) {
  for (std::size_t i = 0; i < 4; ++i)
    put(to, i, (four(q + 8 * i) & 0x0F0F0F0FU) | ((four(q + 8 * i + 4) & 0x0F0F0F0FU) << 4));
}
void pack_5(const std::uint8_t* q, std::byte* to) {
  pack_4(q, to);
  std::uint32_t high = 0;
  for (std::size_t g = 0; g < 8; ++g) high |= ((four(q + 4 * g) >> 4) & 0x01010101U) << g;
  put(to, 4, high);
}
void pack_6(const std::uint8_t* q, std::byte* to) {  // sixteen columns
  std::uint32_t high = 0;
  for (std::size_t i = 0; i < 2; ++i)
    put(to, i, (four(q + 8 * i) & 0x0F0F0F0FU) | ((four(q + 8 * i + 4) & 0x0F0F0F0FU) << 4));
  for (std::size_t g = 0; g < 4; ++g) high |= ((four(q + 4 * g) >> 4) & 0x03030303U) << (2 * g);
  put(to, 2, high);
}

void put_half(std::byte* halves, std::size_t row, const std::byte* from) {
  std::memcpy(halves + 2 * row, from, 2);
}

// One block of one row: its integers to `values`, the row's place in the block's first line; its scales to
// `scales`, the block's, and to `factors`, the tile's, for Q6_K.
void pack_block(std::uint32_t type, const std::byte* block, std::size_t row, std::byte* values,
                std::byte* scales, std::byte* factors) {
  std::uint8_t q[kPanelWidth];
  switch (type) {
    case kQ8_0:
      integers_8(block, q);
      pack_8(q, values);
      return put_half(scales, row, block);
    case kQ4_0:
      integers_4(block + 2, q);
      pack_4(q, values);
      return put_half(scales, row, block);
    case kQ5_0:
      integers_5(block, q);
      pack_5(q, values);
      return put_half(scales, row, block);
    case kQ6_K:
      integers_6_k(block, q);
      for (std::size_t j = 0; j < 16; ++j) {
        pack_6(q + 16 * j, values + j * 3 * kCacheLine);
        scales[j * kTileRows + row] = block[192 + j];
      }
      return put_half(factors, row, block + 208);
    case kQ4_K:
    case kQ5_K: {
      const bool five = type == kQ5_K;
      five ? integers_5_k(block, q) : integers_4_k(block + 16, q);
      for (std::size_t j = 0; j < 8; ++j)
        five ? pack_5(q + 32 * j, values + j * 5 * kCacheLine)
             : pack_4(q + 32 * j, values + j * 4 * kCacheLine);
      put_half(scales, row, block);
      put_half(scales + 2 * kTileRows, row, block + 2);
      for (std::size_t word = 0; word < 3; ++word)
        std::memcpy(scales + 4 * kTileRows + (word * kTileRows + row) * 4, block + 4 + 4 * word, 4);
      return;
    }
    default:
      assert(false);
  }
}

std::size_t integer_bytes(const BlockFormat& format) {  // of one row's block
  switch (format.id) {
    case kQ8_0:
    case kQ4_0:
    case kQ5_0:
      return format.bytes - 2;
    case kQ6_K:
      return 192;
    case kQ4_K:
      return 128;
    case kQ5_K:
      return 160;
    default:
      return format.bytes;
  }
}

std::size_t factor_bytes(const BlockFormat& format) {  // likewise: apart from the scales, to keep lines whole
  return format.id == kQ6_K ? 2 : 0;
}
std::size_t in_lines(std::size_t bytes) {
  return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
}

std::size_t tile_bytes(const BlockFormat& format, std::size_t width) {
  const std::size_t blocks = width / format.elements;
  const std::size_t factors = factor_bytes(format);
  return in_lines(blocks * factors * kTileRows) + in_lines(blocks * (format.bytes - factors) * kTileRows);
}

}  // namespace

bool has_minimums(std::uint32_t type) {
  return type == kQ4_K || type == kQ5_K;
}
bool is_float_type(std::uint32_t type) {
  return type == kF32 || type == kF16 || type == kBf16;
}

PackedMatrix::PackedMatrix(const BlockFormat& format, std::size_t width, std::size_t rows,
                           std::size_t experts, std::span<const std::byte> packed,
                           std::shared_ptr<const void> owner)
    : format_(format),
      width_(width),
      rows_(rows),
      experts_(experts),
      tile_bytes_(tile_bytes(format, width)),
      bytes_(packed.data()),
      owner_(std::move(owner)) {
  assert(width % format.elements == 0 && (packed.empty() || packed.size() == bytes()));
}

PackedMatrix::PackedMatrix(const BlockFormat& format, std::size_t width, std::size_t rows,
                           std::size_t experts, HugePages& memory)
    : PackedMatrix(format, width, rows, experts, {}, nullptr) {
  const auto room = memory.take(bytes());
  owner_ = room;
  bytes_ = room_ = room.get();
}

std::size_t PackedMatrix::bytes_needed(const BlockFormat& format, std::size_t width, std::size_t rows,
                                       std::size_t experts) {
  return experts * ((rows + kTileRows - 1) / kTileRows) * tile_bytes(format, width);
}

std::size_t PackedMatrix::tiles() const {
  return (rows_ + kTileRows - 1) / kTileRows;
}

void PackedMatrix::pack(std::size_t expert, std::size_t index, std::span<const std::byte> rows) {
  const std::size_t blocks = width_ / format_.elements;
  const std::size_t row_bytes = blocks * format_.bytes;
  const std::size_t count = std::min(kTileRows, rows_ - index * kTileRows);
  assert(room_ != nullptr && rows.size() == count * row_bytes);
  std::byte* tile = room_ + (expert * tiles() + index) * tile_bytes_;
  const std::size_t of_panel = std::max<std::size_t>(kPanelWidth / format_.elements, 1);  // blocks
  const std::size_t factors = factor_bytes(format_);
  const std::size_t values = integer_bytes(format_);
  const std::size_t scales = format_.bytes - values - factors;
  std::byte* panels = tile + in_lines(blocks * factors * kTileRows);
  for (std::size_t r = 0; r < count; ++r) {
    const std::byte* row = rows.data() + r * row_bytes;
    for (std::size_t b = 0; b < blocks; ++b) {
      const std::byte* block = row + b * format_.bytes;
      if (is_float_type(format_.id)) {
        std::memcpy(tile + (b * kTileRows + r) * format_.bytes, block, format_.bytes);
        continue;
      }
      const std::size_t first = b / of_panel * of_panel;  // the panel's
      const std::size_t in_panel = std::min(of_panel, blocks - first);
      std::byte* panel = panels + first * (scales + values) * kTileRows;
      pack_block(format_.id, block, r, panel + (in_panel * scales + (b - first) * values) * kTileRows + 4 * r,
                 panel + (b - first) * scales * kTileRows, tile + b * factors * kTileRows);
    }
  }
}

}  // namespace gpqa
