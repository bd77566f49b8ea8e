// The keys and values of one layer on the CPU.
//
// Keys lie in blocks of sixteen cells, [dim][cell], so that one load serves sixteen products: a lane is a
// key. Values lie as [dim / 32][cell][32]: a lane is a dimension, and who sums some dimensions over all cells
// reads on end. At q8_0 sixteen float16 scales precede each 32 dimensions of a key block, and a scale each 32
// of a value.
#pragma once

#include <cstddef>
#include <memory>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/huge_pages.h"
#include "runners/embedded/backend/cpu/kv_kernels.h"

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
  // The first part of a position's value; value_stride() bytes on, the next one.
  std::byte* value(std::uint32_t slot, std::size_t kv_head, std::size_t position) const {
    return values_.get() + sequence(slot, kv_head) * parts_ * value_stride() + cell(position) * part_bytes_;
  }
  std::size_t value_stride() const { return cells() * part_bytes_; }
  // As many as asked for, or some more: whole blocks, so that sixteen positions from a multiple of sixteen on
  // are one block, also where the oldest are overwritten.
  std::size_t cells() const { return blocks_ * kKeyBlock; }
  std::size_t cell(std::size_t position) const { return position % cells(); }

 private:
  std::size_t sequence(std::uint32_t slot, std::size_t kv_head) const {
    return slot * shape_.kv_heads + kv_head;
  }

  KvShape shape_;
  std::size_t blocks_, key_block_bytes_;
  std::size_t parts_, part_bytes_;  // of a value
  // Zeros at first: a slot costs memory when a sequence comes to it, since all parts are in pages of their
  // own where cells are many; and what no sequence has written yet is no NaN.
  std::shared_ptr<std::byte> keys_;    // [slots, kv_heads, blocks]
  std::shared_ptr<std::byte> values_;  // [slots, kv_heads, parts, cells]
};

}  // namespace gpqa
