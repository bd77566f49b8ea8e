#include "runners/embedded/backend/cpu/kv_cache.h"

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

constexpr std::size_t kBlock = 32;  // of q8_0

std::size_t whole(std::size_t count, std::size_t part) {
  return (count + part - 1) / part * part;
}

}  // namespace

CpuKvCache::CpuKvCache(const KvShape& shape, HugePages& memory)
    : shape_(shape),
      blocks_(whole(shape.cells, kKeyBlock) / kKeyBlock),
      key_block_bytes_(kv_bytes(shape.type, kKeyBlock * shape.head_dim)),
      parts_(whole(shape.head_dim, kValuePart) / kValuePart),
      part_bytes_(kv_bytes(shape.type, kValuePart)) {
  if (shape.type == KvType::q8_0 && shape.head_dim % kBlock != 0)
    throw InputError(
        fmt::format("keys and values of q8_0 come in blocks of {}; a head here has {}: take f16 (--kv f16)",
                    kBlock, shape.head_dim));
  const std::size_t sequences = shape.slots * shape.kv_heads;
  keys_ = memory.take(sequences * blocks_ * key_block_bytes_);
  values_ = memory.take(sequences * parts_ * value_stride());
}

}  // namespace gpqa
