// Python's `random`, as far as lm-eval's choice order needs it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace gpqa {

// MT19937 (Matsumoto and Nishimura 1998), seeded by its init_by_array as CPython's random.seed(int) does.
class PythonRandom {
 public:
  explicit PythonRandom(std::uint64_t seed);

  std::uint32_t next_u32();
  // Uniform in [0, n), n >= 1, by CPython's _randbelow_with_getrandbits: the top bits of a word, again while
  // >= n.
  std::uint32_t below(std::uint32_t n);

  // random.shuffle
  template <class Range>
  void shuffle(Range&& items) {
    for (std::size_t i = items.size(); i-- > 1;) {
      std::swap(items[i], items[below(static_cast<std::uint32_t>(i + 1))]);
    }
  }

 private:
  static constexpr std::size_t kSize = 624;
  void refill();

  std::array<std::uint32_t, kSize> state_{};
  std::size_t index_ = kSize;
};

}  // namespace gpqa
