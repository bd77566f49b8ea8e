#include "prompts/python_random.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <random>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.h"

namespace gpqa {
namespace {

nlohmann::json goldens() {
  std::ifstream in(GPQA_TEST_DATA "/lm-eval/rng_golden.json");
  return nlohmann::json::parse(in);
}

TEST_CASE("words and shuffles are those of Python's random for every golden seed") {
  const auto json = goldens();
  int seeds = 0;
  for (const auto& [seed, golden] : json.items()) {
    if (!golden.is_object()) {
      continue;
    }
    ++seeds;
    INFO("seed " << seed);
    const auto magnitude =
        static_cast<std::uint64_t>(std::llabs(std::stoll(seed)));  // Python seeds with abs()
    PythonRandom words(magnitude);
    std::vector<std::uint32_t> u32(627);
    std::generate(u32.begin(), u32.end(), [&] { return words.next_u32(); });
    CHECK(std::vector(u32.begin(), u32.begin() + 8) ==
          golden["u32_first8"].get<std::vector<std::uint32_t>>());
    CHECK(std::vector(u32.begin() + 623, u32.begin() + 627) ==
          golden["u32_at_623_to_626"].get<std::vector<std::uint32_t>>());
    PythonRandom shuffles(magnitude);
    for (const auto& expected : golden["shuffle4_sequence"]) {
      std::array<int, 4> order{0, 1, 2, 3};
      shuffles.shuffle(order);
      CHECK(nlohmann::json(order) == expected);
    }
  }
  CHECK(seeds >= 3);
}

TEST_CASE("a seed beyond 32 bits has a key of two words") {
  // Python: random.seed(2**40 + 7); random.getrandbits(32)
  CHECK(PythonRandom((1ull << 40) + 7).next_u32() == 2635837658u);
  CHECK(PythonRandom((1ull << 32) - 1).next_u32() == 2728839433u);
}

TEST_CASE("below(n) stays below n and shuffles are permutations") {
  PythonRandom random(7);
  for (std::uint32_t n = 1; n < 300; ++n) {
    CHECK(random.below(n) < n);
    std::vector<std::uint32_t> items(n);
    std::iota(items.begin(), items.end(), 0u);
    random.shuffle(items);
    std::sort(items.begin(), items.end());
    CHECK(items.back() == n - 1);
    CHECK(std::unique(items.begin(), items.end()) == items.end());
  }
}

}  // namespace
}  // namespace gpqa
