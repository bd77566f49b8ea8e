// Long runs of mapped bytes compared, at the speed of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace gpqa {

struct BytePair {
  std::span<const std::byte> a;
  std::span<const std::byte> b;  // as many
};

struct ByteDifference {
  std::size_t pair = 0;     // its index
  std::uint64_t first = 0;  // byte that differs
  std::uint64_t count = 0;  // of bytes that differ
};

// Of the pairs that differ, in their order. Bytes are of MappedFiles, and given back once they were looked
// at. on_bytes is called on this thread; what it throws ends the comparison.
std::vector<ByteDifference> compare_bytes(std::span<const BytePair> pairs, std::size_t threads,
                                          const std::function<void(std::uint64_t done)>& on_bytes);

}  // namespace gpqa
