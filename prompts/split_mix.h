// SplitMix64 (Steele et al. 2014): small, and the same everywhere.
#pragma once

#include <cstdint>

namespace gpqa {

inline constexpr std::uint64_t kSplitMixStep = 0x9E3779B97F4A7C15u;

// The output that follows state x; as a hash, every input bit reaches every output bit.
constexpr std::uint64_t split_mix(std::uint64_t x) {
  x += kSplitMixStep;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

}  // namespace gpqa
