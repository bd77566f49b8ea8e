#include "runners/embedded/sampling/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "runners/embedded/sampling/candidates.h"
#include "tests/catch.h"
#include "tests/runners/embedded/sampling/random_cases.h"

namespace gpqa {
namespace {

TEST_CASE("the most likely tokens come with their part of the whole vocabulary's probability") {
  gpqa_test::RandomCases random(1);
  for (int i = 0; i < 300; ++i) {
    const int n = random.between(2, 500);
    const auto logits = random.logits(n);
    const double highest = *std::max_element(logits.begin(), logits.end());
    if (std::isinf(highest)) continue;
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - highest);
    const auto count = static_cast<std::size_t>(random.between(0, n + 5));
    const int chosen = random.between(0, n - 1);
    const auto found = top_probabilities(logits, count, chosen);
    REQUIRE(found.top.size() == std::min(count, logits.size()));
    // n float additions, each rounded by 2^-24 of a sum of at most 1 to its share; exp and the division
    // beside them.
    const double tolerance = (n + 4) * std::ldexp(1.0, -24);
    const auto expected = [&](int id) {
      return std::exp(logits[static_cast<std::size_t>(id)] - highest) / sum;
    };
    for (std::size_t j = 0; j < found.top.size(); ++j) {
      REQUIRE(found.top[j].p == Approx(expected(found.top[j].id)).epsilon(tolerance).margin(1e-37));
      if (j > 0) REQUIRE(found.top[j].p <= found.top[j - 1].p);
    }
    REQUIRE(found.chosen == Approx(expected(chosen)).epsilon(tolerance).margin(1e-37));
  }
}

TEST_CASE("a probability of 0 has a logarithm that JSON can hold") {
  CHECK(logprob(1) == 0);
  CHECK(logprob(0.5f) == std::log(0.5f));
  CHECK(logprob(0) == std::numeric_limits<float>::lowest());
}

TEST_CASE("logits without probabilities are refused") {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(top_probabilities(std::vector<float>{kNever, kNever}, 1, 0), BadLogits);
  CHECK_THROWS_AS(top_probabilities(std::vector<float>{0, std::nanf("")}, 1, 0), BadLogits);
}

}  // namespace
}  // namespace gpqa
