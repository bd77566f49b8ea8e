#include "prompts/trial.h"

#include <limits>
#include <set>

#include "prompts/input_error.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

Dataset invented(std::size_t rows) {
  Dataset dataset;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto n = std::to_string(row);
    dataset.questions.push_back({.row = row,
                                 .record_id = "rec" + n,
                                 .domain = "",
                                 .subdomain = "",
                                 .text = "Q" + n,
                                 .correct = "right " + n,
                                 .incorrect = {"a" + n, "b" + n, "c" + n}});
  }
  return dataset;
}

TEST_CASE("a limit takes the first rows and changes nothing in them") {
  const auto dataset = invented(20);
  const auto all = make_trials(dataset, {});
  for (const double limit : {1.0, 7.0, 7.9, 20.0, 500.0, 0.05, 0.5, 0.51, 0.999}) {
    const auto some = make_trials(dataset, {.limit = limit});
    INFO("limit " << limit);
    CHECK(some.size() == (limit >= 1 ? std::min(20u, static_cast<unsigned>(limit))
                                     : static_cast<unsigned>(limit == 0.05   ? 1
                                                             : limit == 0.5  ? 10
                                                             : limit == 0.51 ? 11
                                                                             : 20)));
    for (std::size_t i = 0; i < some.size(); ++i) {
      CHECK(some[i].prompt == all[i].prompt);
      CHECK(some[i].seed == all[i].seed);
    }
  }
  CHECK_THROWS_AS(make_trials(dataset, {.limit = -1}), InputError);
  CHECK_THROWS_AS(make_trials(dataset, {.limit = std::numeric_limits<double>::quiet_NaN()}), InputError);
  CHECK_THROWS_AS(make_trials(dataset, {.repeats = 0}), InputError);
  CHECK_THROWS_AS(make_trials(dataset, {.repeats = 4'000'000'000}), InputError);
}

TEST_CASE("repeats ask the same prompt with another seed") {
  const auto trials = make_trials(invented(5), {.repeats = 3});
  REQUIRE(trials.size() == 15);
  std::set<std::uint32_t> seeds;
  for (const auto& trial : trials) {
    CHECK(trial.prompt == trials[trial.id.doc_id].prompt);
    seeds.insert(trial.seed);
  }
  CHECK(seeds.size() == 15);
}

TEST_CASE("the gold letter is the first choice equal to the correct one") {
  Dataset dataset = invented(50);
  for (auto& question : dataset.questions) {
    question.incorrect[1] = question.correct;
  }
  for (const auto& trial : make_trials(dataset, {})) {
    const auto gold = static_cast<std::size_t>(trial.gold - 'A');
    CHECK(trial.choices[gold].starts_with("right"));
    CHECK(std::none_of(trial.choices.begin(), trial.choices.begin() + gold,
                       [](const std::string& c) { return c.starts_with("right"); }));
  }
}

TEST_CASE("a seed depends on all of its arguments and is never llama-server's word for random") {
  const auto base = trial_seed(1, "rec", 2, 3);
  CHECK(base == trial_seed(1, "rec", 2, 3));
  CHECK(base != trial_seed(2, "rec", 2, 3));
  CHECK(base != trial_seed(1, "reC", 2, 3));
  CHECK(base != trial_seed(1, "rec", 3, 3));
  CHECK(base != trial_seed(1, "rec", 2, 4));
  CHECK(base == 3873021729u);  // pinned: a changed function would make old runs unrepeatable
  for (std::uint32_t row = 0; row < 100000; ++row) {
    REQUIRE(trial_seed(0, "", row, 0) != std::numeric_limits<std::uint32_t>::max());
  }
}

TEST_CASE("task versions have names") {
  for (const auto version : {TaskVersion::v1_0, TaskVersion::v2_1, TaskVersion::v2_2}) {
    CHECK(parse_task_version(to_string(version)) == version);
  }
  CHECK_THROWS_WITH(parse_task_version("2.3"), Catch::Contains("expected 2.2"));
}

}  // namespace
}  // namespace gpqa
