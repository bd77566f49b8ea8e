#include "experts/drop_plan.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;

namespace {

using Json = nlohmann::ordered_json;

const std::string kTiny = GPQA_TEST_DATA "/experts/tiny_expert_neuron_v4.json";

// A map as a calibration could have made it. Few different scores, so that there are ties.
ContributionMap random_map(std::mt19937& random, std::uint32_t layers, std::uint32_t experts,
                           std::size_t parts, bool questions) {
  Json all;
  for (std::size_t part = 0; part < parts; ++part)
    for (std::uint32_t layer = 0; layer < layers; ++layer) {
      auto& list = all[fmt::format("p{}", part)][std::to_string(layer)] = Json::array();
      for (std::uint32_t id = 0; id < experts; ++id)
        list.push_back({{"id", id},
                        {"wnorm", static_cast<double>(random() % 20) / 4},
                        {"rnorm", static_cast<double>(random() % 40) / 4},
                        {"tc", 1 + random() % 9},
                        {"cc", 1}});
    }
  const Json json = {{"metadata", {{"num_layers", layers}, {"num_experts", experts}}},
                     {questions ? "questions" : "categories", all}};
  return parse_contributions(json.dump(), "random.json");
}

// Its author's generate_drop_map.py in C++: the stable sort of ids by their score, lowest first.
std::vector<ExpertIds> reference_drops(const Json& json, double alpha, std::size_t drops) {
  std::vector<ExpertIds> all;
  for (int layer = 0; layer < json["metadata"]["num_layers"]; ++layer) {
    std::map<std::uint32_t, double> score;
    for (const auto& [name, part] : json["categories"].items())
      for (const auto& expert : part[std::to_string(layer)])
        score[expert["id"]] += expert["wnorm"].get<double>() * alpha + expert["tc"].get<double>();
    std::vector<std::pair<double, std::uint32_t>> order;
    for (const auto& [id, value] : score) order.emplace_back(value, id);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    ExpertIds ids;
    for (std::size_t i = 0; i < drops; ++i) ids.push_back(order[i].second);
    std::sort(ids.begin(), ids.end());
    all.push_back(ids);
  }
  return all;
}

DropPlan plan_one(const ContributionMap& map, const DropPlanOptions& options) {
  return plan_drops(std::span(&map, 1), options);
}

std::string refusal(std::span<const ContributionMap> maps, const DropPlanOptions& options) {
  try {
    plan_drops(maps, options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("the tiny model's drops are those of its author's script") {
  const auto map = read_contributions(kTiny);
  const auto json = Json::parse(contents(kTiny));
  for (const double alpha : {2.0, 0.0, 0.25, 100.0})
    for (std::uint32_t keep = 1; keep < 16; ++keep) {
      DropPlanOptions options{.keep = keep, .alpha = alpha, .protect_by = {}, .categories = {}};
      CHECK(plan_one(map, options).map.dropped == reference_drops(json, alpha, 16 - keep));
    }
}

TEST_CASE("each criterion ranks by its formula") {
  const auto map = read_contributions(kTiny);
  const auto json = Json::parse(contents(kTiny));
  const auto sums = sum_parts(map, chosen_parts(map, {}));
  // Over both categories, from the JSON.
  const auto sum = [&](const char* field, std::size_t layer, std::size_t expert) {
    double total = 0;
    for (const auto& [name, part] : json["categories"].items())
      total += part[std::to_string(layer)][expert][field].get<double>();
    return total;
  };
  for (const auto& each : criteria()) {
    const auto table = scores(sums, each.criterion, 2);
    for (std::uint32_t layer = 0; layer < 6; ++layer) {
      double tokens = 0;
      for (std::size_t expert = 0; expert < 16; ++expert) tokens += sum("tc", layer, expert);
      for (std::size_t expert = 0; expert < 16; ++expert) {
        const std::map<std::string_view, double> expected = {
            {"wnorm+tc", 2 * sum("wnorm", layer, expert) + sum("tc", layer, expert)},
            {"wnorm", sum("wnorm", layer, expert)},
            {"tc", sum("tc", layer, expert)},
            {"total", sum("token_wnorm_sum", layer, expert)},
            {"reap", sum("token_wnorm_sum", layer, expert) / sum("tc", layer, expert)},
            {"ean", sum("token_rnorm_sum", layer, expert)},
            {"freq", sum("tc", layer, expert) / tokens}};
        CHECK(table.layer(layer)[expert] == Approx(expected.at(each.name)).epsilon(1e-12));
      }
    }
    CHECK(parse_criterion(each.name) == each.criterion);
  }
  CHECK_THROWS_WITH(parse_criterion("norm"), Contains("expected one of wnorm+tc, wnorm, tc, total"));
}

TEST_CASE("every layer drops as many, and what goes is worth no more than what stays") {
  std::mt19937 random(3);
  for (int round = 0; round < 30; ++round) {
    const auto experts = static_cast<std::uint32_t>(2 + random() % 60);
    const auto map = random_map(random, 3, experts, 1 + random() % 4, false);
    for (const auto& criterion : criteria()) {
      DropPlanOptions options{.keep = static_cast<std::uint32_t>(1 + random() % (experts - 1)),
                              .criterion = criterion.criterion,
                              .protect_by = {},
                              .categories = {}};
      const auto plan = plan_one(map, options);
      const auto table = scores(sum_parts(map, chosen_parts(map, {})), criterion.criterion, 2);
      for (std::uint32_t layer = 0; layer < 3; ++layer) {
        const auto& dropped = plan.map.dropped[layer];
        const auto stays = kept(plan.map, layer, experts);
        CHECK(stays.size() == options.keep);
        const auto value = [&](auto id) { return std::pair(table.layer(layer)[id], id); };
        for (const auto out : dropped)
          for (const auto in : stays) CHECK(value(out) < value(in));
        CHECK(plan.layers[layer].last_kept->score >= plan.layers[layer].first_dropped.score);
      }
    }
  }
}

TEST_CASE("of experts worth the same the lower ids go") {
  const auto map = parse_contributions(
      R"({"questions":{"q":{"0":[{"id":3,"wnorm":1,"tc":1},{"id":1,"wnorm":1,"tc":1},{"id":0,"wnorm":1,"tc":1},{"id":2,"wnorm":1,"tc":1}]}}})",
      "q.json");
  CHECK(plan_one(map, {.keep = 2, .protect_by = {}, .categories = {}}).map.dropped[0] == ExpertIds{0, 1});
  CHECK(plan_one(map, {.keep = 2, .protect = 2, .protect_by = {}, .categories = {}}).map.dropped[0] ==
        ExpertIds{0, 1});
}

TEST_CASE("protection by the same score changes nothing; by another score it protects") {
  std::mt19937 random(5);
  std::size_t saved = 0;
  for (int round = 0; round < 40; ++round) {
    const auto map = random_map(random, 2, 24, 2, false);
    const auto keep = static_cast<std::uint32_t>(4 + random() % 16);
    const DropPlanOptions plain{.keep = keep, .protect_by = {}, .categories = {}};
    auto protecting = plain;
    protecting.protect = static_cast<std::uint32_t>(1 + random() % keep);
    CHECK(plan_one(map, protecting).map == plan_one(map, plain).map);
    protecting.protect_by = Criterion::wnorm_tc;
    CHECK(plan_one(map, protecting).map == plan_one(map, plain).map);

    protecting.protect_by = Criterion::ean;
    const auto plan = plan_one(map, protecting);
    const auto by = scores(sum_parts(map, chosen_parts(map, {})), Criterion::ean, 2);
    for (std::uint32_t layer = 0; layer < 2; ++layer) {
      CHECK(plan.map.dropped[layer].size() == 24 - keep);
      std::vector<std::pair<double, std::uint32_t>> order;
      for (std::uint32_t id = 0; id < 24; ++id) order.emplace_back(by.layer(layer)[id], id);
      std::sort(order.rbegin(), order.rend());
      for (std::uint32_t i = 0; i < protecting.protect; ++i)
        CHECK_FALSE(std::binary_search(plan.map.dropped[layer].begin(), plan.map.dropped[layer].end(),
                                       order[i].second));
      // Who is called saved would have gone.
      for (const auto id : plan.layers[layer].saved) {
        const auto without = plan_one(map, plain).map.dropped[layer];
        CHECK(std::binary_search(without.begin(), without.end(), id));
      }
      saved += plan.layers[layer].saved.size();
    }
  }
  CHECK(saved > 0);
}

TEST_CASE("categories are chosen by name, and their order doesn't matter") {
  const auto map = read_contributions(kTiny);
  const DropPlanOptions both{.keep = 12, .protect_by = {}, .categories = {"creative", "math"}};
  CHECK(plan_one(map, both).map == plan_one(map, {.keep = 12, .protect_by = {}, .categories = {}}).map);
  auto json = Json::parse(contents(kTiny));
  json["categories"].erase("math");
  const DropPlanOptions one{.keep = 12, .protect_by = {}, .categories = {"creative"}};
  CHECK(plan_one(map, one).map.dropped == reference_drops(json, 2, 4));
  const std::vector<std::string> absent = {"maths"};
  CHECK_THROWS_WITH(chosen_parts(map, absent), Contains("has no category 'maths'; it has math, creative"));
  const std::vector<std::string> twice = {"math", "math"};
  CHECK_THROWS_WITH(chosen_parts(map, twice), Contains("chosen twice"));
}

TEST_CASE("merging by sum adds maps; merging by rank knows no scale") {
  std::mt19937 random(9);
  for (int round = 0; round < 20; ++round) {
    const std::vector<ContributionMap> maps = {random_map(random, 2, 16, 2, false),
                                               random_map(random, 2, 16, 1, false)};
    DropPlanOptions options{.keep = 11, .protect_by = {}, .categories = {}};
    // The same as one map of all parts.
    ContributionMap joined = maps[0];
    joined.parts.push_back(maps[1].parts[0]);
    CHECK(plan_drops(maps, options).map == plan_one(joined, options).map);

    options.merge = Merge::rank;
    options.criterion = Criterion::wnorm;
    const auto plan = plan_drops(maps, options);
    // Any growing function of one map's scores leaves the ranks as they are.
    auto bent = maps;
    for (auto& part : bent[1].parts)
      for (auto& entry : part.entries) entry.sums.wnorm = std::exp(3 * entry.sums.wnorm) * 1e6;
    CHECK(plan_drops(bent, options).map == plan.map);
    const std::vector<ContributionMap> turned = {maps[1], maps[0]};
    CHECK(plan_drops(turned, options).map == plan.map);
    // One map has one opinion.
    options.merge = Merge::rank;
    CHECK(plan_drops(std::span(maps).first(1), options).map ==
          plan_one(maps[0], {.keep = 11, .criterion = Criterion::wnorm, .protect_by = {}, .categories = {}})
              .map);
  }
}

TEST_CASE(
    "drops are the same under all draws where every question says the same, and not where they differ") {
  std::mt19937 random(13);
  auto map = random_map(random, 2, 16, 6, true);
  const DropPlanOptions options{.keep = 10, .protect_by = {}, .categories = {}};
  const auto maps = std::span(&map, 1);
  const auto plan = plan_drops(maps, options).map;
  const auto stability = bootstrap_drops(maps, options, plan, 100, 1);
  REQUIRE(stability);
  CHECK(stability->same[0] < 1);
  CHECK(stability->shared[0] > stability->same[0]);
  CHECK(stability->all_layers_same <= std::min(stability->same[0], stability->same[1]));
  // The same seed, the same draws.
  const auto again = bootstrap_drops(maps, options, plan, 100, 1);
  CHECK(again->same == stability->same);
  CHECK(again->shared == stability->shared);
  CHECK(bootstrap_drops(maps, options, plan, 100, 2)->shared != stability->shared);

  for (auto& part : map.parts) part.entries = map.parts[0].entries;
  const auto sure = bootstrap_drops(maps, options, plan_drops(maps, options).map, 50, 1);
  CHECK(sure->same[1] == Approx(1));
  CHECK(sure->all_layers_same == Approx(1));

  auto categories = random_map(random, 2, 16, 3, false);
  CHECK_FALSE(bootstrap_drops(std::span(&categories, 1), options, plan, 10, 1));
  for (auto& part : categories.parts) part.prompts = 1;
  CHECK(bootstrap_drops(std::span(&categories, 1), options, plan, 10, 1));
}

TEST_CASE("plans that make no sense are refused") {
  const auto tiny = read_contributions(kTiny);
  const auto one = std::span(&tiny, 1);
  const auto with = [&](auto&& change) {
    DropPlanOptions options{.keep = 12, .protect_by = {}, .categories = {}};
    change(options);
    return refusal(one, options);
  };
  CHECK(with([](auto&) {}) == "accepted");
  CHECK_THAT(with([](auto& o) { o.keep = 0; }),
             Contains("--keep 0: the layers have 16 experts; expected 1 to 15"));
  CHECK_THAT(with([](auto& o) { o.keep = 16; }), Contains("expected 1 to 15"));
  CHECK_THAT(with([](auto& o) { o.protect = 13; }), Contains("only 12 experts of each layer stay"));
  auto used = tiny;
  used.used = 13;
  CHECK_THAT(refusal(std::span(&used, 1), {.keep = 12, .protect_by = {}, .categories = {}}),
             Contains("router chooses 13 experts"));
  std::mt19937 random(1);
  const std::vector<ContributionMap> others = {tiny, random_map(random, 6, 17, 1, false)};
  CHECK_THAT(refusal(others, {.keep = 12, .protect_by = {}, .categories = {}}),
             Contains("6 layers of 17 experts"));
  // A map that only counts.
  auto counted = tiny;
  counted.has_norms = counted.has_unweighted = false;
  CHECK_THAT(refusal(std::span(&counted, 1), {.keep = 12, .protect_by = {}, .categories = {}}),
             Contains("it only counts"));
  CHECK(refusal(std::span(&counted, 1),
                {.keep = 12, .criterion = Criterion::tc, .protect_by = {}, .categories = {}}) == "accepted");
  // A layer without experts.
  auto dense = tiny;
  for (auto& part : dense.parts)
    std::erase_if(part.entries, [](const auto& entry) { return entry.layer == 2; });
  CHECK_THAT(refusal(std::span(&dense, 1), {.keep = 12, .protect_by = {}, .categories = {}}),
             Contains("layer 2: no expert was ever routed to"));
}
