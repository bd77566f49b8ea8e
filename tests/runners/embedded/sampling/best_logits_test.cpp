#include "runners/embedded/sampling/best_logits.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "tests/catch.h"
#include "tests/runners/embedded/sampling/random_cases.h"

namespace gpqa {
namespace {

std::vector<Candidate> in_order_of_ids(const std::vector<float>& logits) {
  std::vector<Candidate> list;
  list.reserve(logits.size());
  for (const float logit : logits) {
    list.push_back({.id = static_cast<int>(list.size()), .logit = logit, .p = 0});
  }
  return list;
}

bool higher(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit;
}

std::vector<int> ids(const std::vector<Candidate>& list) {
  std::vector<int> ids;
  ids.reserve(list.size());
  for (const auto& candidate : list) ids.push_back(candidate.id);
  return ids;
}

void check_as_partial_sort(const std::vector<float>& logits, std::size_t k) {
  std::vector<Candidate> best;
  SortScratch scratch;
  best_of_logits(logits, k, best, scratch);
  auto whole = in_order_of_ids(logits);
  std::partial_sort(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(k), whole.end(), higher);
  whole.resize(k);
  REQUIRE(ids(best) == ids(whole));
}

TEST_CASE("up to 128 of a vocabulary are those of std::partial_sort over all of it, ties in its order") {
  gpqa_test::RandomCases random(1);
  for (int i = 0; i < 3000; ++i) {
    const int n = random.between(1, 2000);
    const int k = std::min(n, random.any({1, 2, 3, 40, 64, 127, 128}));
    check_as_partial_sort(random.logits(n), static_cast<std::size_t>(k));
  }
}

TEST_CASE("rising, falling, equal and excluded logits are no other case") {
  for (const std::size_t n : {64, 65, 128, 1000, 5000}) {
    std::vector<float> rising(n);
    for (std::size_t i = 0; i < n; ++i) rising[i] = std::floor(static_cast<float>(i) / 3);
    std::vector<float> falling(rising.rbegin(), rising.rend());
    auto excluded = rising;
    for (std::size_t i = 0; i < n; i += 2) excluded[i] = -std::numeric_limits<float>::infinity();
    for (const std::size_t k : {1, 2, 63, 64}) {
      check_as_partial_sort(rising, k);
      check_as_partial_sort(falling, k);
      check_as_partial_sort(excluded, k);
      check_as_partial_sort(std::vector<float>(n, 2), k);
      check_as_partial_sort(std::vector<float>(n, -std::numeric_limits<float>::infinity()), k);
    }
  }
}

TEST_CASE("more than 128 are the highest, descending, none twice") {
  gpqa_test::RandomCases random(2);
  for (int i = 0; i < 300; ++i) {
    const auto logits = random.logits(random.between(129, 2000));
    const auto k = static_cast<std::size_t>(random.between(129, static_cast<int>(logits.size())));
    std::vector<Candidate> best;
    SortScratch scratch;
    best_of_logits(logits, k, best, scratch);
    REQUIRE(best.size() == k);
    REQUIRE(std::is_sorted(best.begin(), best.end(), higher));
    auto sorted = logits;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    std::vector<bool> seen(logits.size());
    for (std::size_t j = 0; j < k; ++j) {
      const auto id = static_cast<std::size_t>(best[j].id);
      REQUIRE(best[j].logit == sorted[j]);
      REQUIRE(logits[id] == best[j].logit);
      REQUIRE_FALSE(seen[id]);
      seen[id] = true;
    }
    // A list in the same order gives the same, and keeps to its place.
    auto list = in_order_of_ids(logits);
    best_in_place(list, k, scratch);
    list.resize(k);
    REQUIRE(ids(list) == ids(best));
  }
}

TEST_CASE("logits far outside the buckets' range are sorted too") {
  std::vector<float> logits(201, -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < 200; ++i) logits[i] = static_cast<float>(i) * 1e30f - 1e32f;
  std::vector<Candidate> best;
  SortScratch scratch;
  best_of_logits(logits, 201, best, scratch);
  CHECK(std::is_sorted(best.begin(), best.end(), higher));
  CHECK(best[0].id == 199);
  CHECK(best[200].id == 200);
}

}  // namespace
}  // namespace gpqa
