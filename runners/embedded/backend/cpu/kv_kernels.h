// What attention is made of, for one type of keys and values (kv_cache.h). Each result is a function of its
// own query and keys only, summed in one order: however many queries or keys come at once.
#pragma once

#include <cstddef>

namespace gpqa {

constexpr std::size_t kValuePart = 32;  // dimensions of a value that lie together

struct KvKernels {
  // One key into lane `lane` of its block; one value into its cell, of which the next part follows
  // `stride` bytes later.
  void (*store_key)(const float* key, std::size_t dim, std::byte* block, std::size_t lane);
  void (*store_value)(const float* value, std::size_t dim, std::byte* cell, std::size_t stride);
  // scores[i][16 * b + lane] = queries[i] . key `lane` of blocks[b]
  void (*scores)(const float* const* queries, std::size_t count, const std::byte* const* blocks,
                 std::size_t block_count, std::size_t dim, float* const* scores);
  // sums[i] += sum over the keys, in order, of weights[i][key] * value; `dim` rounded up to whole parts.
  // `values`: the first parts of cells one after the other.
  void (*add_values)(const float* const* weights, std::size_t count, const std::byte* values,
                     std::size_t keys, std::size_t stride, std::size_t dim, float* const* sums);
};

}  // namespace gpqa
