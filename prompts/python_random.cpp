#include "prompts/python_random.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <vector>

namespace gpqa {

PythonRandom::PythonRandom(std::uint64_t seed) {
  // The key is the seed's 32-bit digits, least significant first, without leading zeros but at least one.
  std::vector<std::uint32_t> key{static_cast<std::uint32_t>(seed)};
  if (seed >> 32 != 0) {
    key.push_back(static_cast<std::uint32_t>(seed >> 32));
  }
  state_[0] = 19650218u;
  for (std::uint32_t i = 1; i < kSize; ++i) {
    state_[i] = 1812433253u * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
  }
  std::size_t i = 1;
  const auto advance = [&] {
    if (++i == kSize) {
      state_[0] = state_[kSize - 1];
      i = 1;
    }
  };
  for (std::size_t k = 0; k < std::max(kSize, key.size()); ++k) {
    const auto j = static_cast<std::uint32_t>(k % key.size());
    state_[i] = (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1664525u)) + key[j] + j;
    advance();
  }
  for (std::size_t k = 0; k < kSize - 1; ++k) {
    state_[i] =
        (state_[i] ^ ((state_[i - 1] ^ (state_[i - 1] >> 30)) * 1566083941u)) - static_cast<std::uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000u;
}

void PythonRandom::refill() {
  constexpr std::size_t kShift = 397;
  for (std::size_t i = 0; i < kSize; ++i) {
    const std::uint32_t y = (state_[i] & 0x80000000u) | (state_[(i + 1) % kSize] & 0x7FFFFFFFu);
    state_[i] = state_[(i + kShift) % kSize] ^ (y >> 1) ^ ((y & 1u) != 0 ? 0x9908B0DFu : 0u);
  }
  index_ = 0;
}

std::uint32_t PythonRandom::next_u32() {
  if (index_ == kSize) {
    refill();
  }
  std::uint32_t y = state_[index_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9D2C5680u;
  y ^= (y << 15) & 0xEFC60000u;
  return y ^ (y >> 18);
}

std::uint32_t PythonRandom::below(std::uint32_t n) {
  assert(n >= 1);
  const int bits = std::bit_width(n);
  std::uint32_t r = next_u32() >> (32 - bits);
  while (r >= n) {
    r = next_u32() >> (32 - bits);
  }
  return r;
}

}  // namespace gpqa
