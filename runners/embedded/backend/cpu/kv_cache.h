// The keys and values of one layer on the CPU.
//
// Keys lie in blocks of sixteen cells, [dim][cell], so that one load serves sixteen products: a lane is a
// key. Values lie cell by cell, [dim]: a lane is a dimension. At q8_0 sixteen float16 scales precede each 32
// dimensions of a key block, and the scales of a value precede its integers.
#pragma once

#include <cstddef>
#include <memory>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/huge_pages.h"

namespace gpqa {

constexpr std::size_t kKeyBlock = 16;  // cells

class CpuKvCache final : public KvCache {
 public:
  CpuKvCache(const KvShape& shape, HugePages& memory);

  const KvShape& shape() const override { return shape_; }
  std::size_t lane(std::size_t position) const { return cell(position) % kKeyBlock; }
  // The block that holds a position's key.
  std::byte* key_block(std::uint32_t slot, std::size_t kv_head, std::size_t position) const {
    return keys_.get() + (sequence(slot, kv_head) * blocks_ + cell(position) / kKeyBlock) * key_block_bytes_;
  }
  std::byte* value(std::uint32_t slot, std::size_t kv_head, std::size_t position) const {
    return values_.get() + (sequence(slot, kv_head) * cells() + cell(position)) * value_bytes_;
  }
  std::size_t value_bytes() const { return value_bytes_; }
  // As many as asked for, or some more: whole blocks, so that sixteen positions from a multiple of sixteen on
  // are one block, also where the oldest are overwritten.
  std::size_t cells() const { return blocks_ * kKeyBlock; }
  std::size_t cell(std::size_t position) const { return position % cells(); }

 private:
  std::size_t sequence(std::uint32_t slot, std::size_t kv_head) const {
    return slot * shape_.kv_heads + kv_head;
  }

  KvShape shape_;
  std::size_t blocks_, key_block_bytes_, value_bytes_;
  // Zeros at first: a slot costs memory as its sequence grows, and what no sequence has written yet is no
  // NaN.
  std::shared_ptr<std::byte> keys_;    // [slots, kv_heads, blocks]
  std::shared_ptr<std::byte> values_;  // [slots, kv_heads, cells]
};

}  // namespace gpqa
