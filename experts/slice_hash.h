// A quick hash that tells slices of a model apart; equal ones still have to be compared.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace gpqa {

// Four lanes, so that memory is what it waits for.
inline std::uint64_t slice_hash(std::span<const std::byte> bytes) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
  const auto word = [&](std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, std::min<std::size_t>(sizeof value, bytes.size() - at));
    return value;
  };
  const auto mix = [](std::uint64_t lane, std::uint64_t value) {
    lane = (lane ^ value) * kOdd;
    return lane ^ (lane >> 29);
  };
  std::uint64_t lanes[4] = {bytes.size(), 1, 2, 3};
  std::size_t at = 0;
  for (; at + 32 <= bytes.size(); at += 32) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
      lanes[lane] = mix(lanes[lane], word(at + 8 * lane));
    }
  }
  for (; at < bytes.size(); at += 8) {
    lanes[0] = mix(lanes[0], word(at));
  }
  return mix(mix(mix(lanes[0], lanes[1]), lanes[2]), lanes[3]);
}

}  // namespace gpqa
