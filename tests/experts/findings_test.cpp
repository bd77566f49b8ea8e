#include "experts/findings.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using gpqa_test::contents;

namespace {

const std::string kTiny = GPQA_TEST_DATA "/experts/tiny_expert_neuron_v4.json";

// By its definition: the mean difference of all pairs against twice the mean.
double gini_by_pairs(const std::vector<double>& amounts) {
  double differences = 0;
  double sum = 0;
  for (const double a : amounts) {
    sum += a;
    for (const double b : amounts) differences += std::abs(a - b);
  }
  return differences / (2 * static_cast<double>(amounts.size()) * sum);
}

}  // namespace

TEST_CASE("Gini, curve and counts are those of their definitions") {
  std::mt19937 random(2);
  for (int round = 0; round < 50; ++round) {
    std::vector<double> amounts(1 + random() % 130);
    for (auto& amount : amounts) amount = static_cast<double>(random() % 1000);
    amounts[0] += 1;
    const auto spread = spread_of(amounts);
    CHECK(spread.gini == Approx(gini_by_pairs(amounts)).margin(1e-12));
    CHECK(spread.curve.back() == Approx(1));
    CHECK(std::is_sorted(spread.curve.begin(), spread.curve.end()));
    for (const double share : {0.5, 0.8, 0.9, 0.95}) {
      auto sorted = amounts;
      std::sort(sorted.rbegin(), sorted.rend());
      double held = 0;
      std::size_t count = 0;
      while (held < share * spread.total) held += sorted[count++];
      CHECK(spread.experts_for(share) == count);
    }
  }
  CHECK(spread_of(std::vector<double>{1, 1, 1, 1}).gini == Approx(0).margin(1e-15));
  CHECK(spread_of(std::vector<double>{0, 0, 0, 4}).gini == Approx(0.75));
  CHECK(spread_of(std::vector<double>{0, 0, 0, 4}).experts_for(1) == 1);
  const auto nothing = spread_of(std::vector<double>{0, 0});
  CHECK(nothing.gini == 0);
  CHECK(nothing.curve.empty());
  CHECK(nothing.experts_for(0.8) == 0);
}

TEST_CASE("the top experts are the largest, and of equal ones the higher ids") {
  CHECK(top_experts(std::vector<double>{3, 1, 3, 2, 3}, 2) == ExpertIds{2, 4});
  CHECK(top_experts(std::vector<double>{3, 1}, 5) == ExpertIds{0, 1});
}

TEST_CASE("findings of the tiny model's map, layer by layer and as its author added it up") {
  const auto findings = find_in_map(read_contributions(kTiny), Criterion::wnorm, 0);
  const auto json = nlohmann::json::parse(contents(kTiny));
  CHECK(findings.top == 4);  // a quarter of 16
  REQUIRE(findings.layers.size() == 6);
  std::vector<double> totals;
  std::vector<double> added(16);
  for (std::size_t layer = 0; layer < 6; ++layer) {
    std::vector<double> amounts(16);
    for (const char* part : {"math", "creative"})
      for (const auto& expert : json["categories"][part][std::to_string(layer)]) {
        amounts[expert["id"]] += expert["wnorm"].get<double>();
        added[expert["id"]] += expert["wnorm"].get<double>();
      }
    CHECK(findings.layers[layer].spread.gini == Approx(gini_by_pairs(amounts)));
    CHECK(findings.layers[layer].never.empty());
    totals.push_back(findings.layers[layer].spread.total);
  }
  const double largest = *std::max_element(totals.begin(), totals.end());
  for (std::size_t layer = 0; layer < 6; ++layer)
    CHECK(findings.layers[layer].importance == Approx(totals[layer] / largest));
  REQUIRE(findings.summed.size() == 3);
  CHECK(findings.summed[0].part.empty());
  CHECK(findings.summed[0].spread.gini == Approx(gini_by_pairs(added)));
  CHECK(findings.summed[1].part == "math");
  REQUIRE(findings.overlaps.size() == 1);
  const auto& pair = findings.overlaps[0];
  for (std::size_t layer = 0; layer < 6; ++layer) {
    const auto best = [&](const char* part) {
      std::vector<std::pair<double, int>> order;
      for (const auto& expert : json["categories"][part][std::to_string(layer)])
        order.emplace_back(expert["wnorm"].get<double>(), expert["id"].get<int>());
      std::sort(order.rbegin(), order.rend());
      std::vector<int> ids;
      for (int i = 0; i < 4; ++i) ids.push_back(order[i].second);
      return ids;
    };
    const auto math = best("math");
    const auto creative = best("creative");
    CHECK(pair.by_layer[layer] ==
          static_cast<std::size_t>(std::count_if(math.begin(), math.end(), [&](int id) {
            return std::count(creative.begin(), creative.end(), id) > 0;
          })));
  }
}

TEST_CASE("experts that were never routed to are named, and nothing is divided by nothing") {
  const auto map = parse_contributions(
      R"({"questions":{"q":{"0":[{"id":0,"wnorm":1,"tc":3},{"id":1,"wnorm":0,"tc":0}],"1":[{"id":1,"wnorm":0,"tc":0}]}}})",
      "q.json");
  const auto findings = find_in_map(map, Criterion::wnorm, 1);
  CHECK(findings.layers[0].never == ExpertIds{1});
  CHECK(findings.layers[1].never == ExpertIds{0, 1});
  CHECK(findings.layers[1].spread.gini == 0);
  CHECK(findings.layers[1].importance == 0);
  CHECK(findings.overlaps.empty());
  CHECK_THROWS_AS(find_in_map(map, Criterion::ean, 1), InputError);
}
