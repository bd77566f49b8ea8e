#include "results/compare.h"

#include <algorithm>

#include "prompts/input_error.h"
#include "results/verdict.h"
#include "tests/catch.h"
#include "tests/results/constructed_runs.h"

namespace gpqa {
namespace {

bool any_contains(const std::vector<std::string>& texts, const std::string& part) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

TEST_CASE("one run each: flips, exact p, and what they can't tell") {
  const auto comparison = compare_runs(one_run_each(), {});
  REQUIRE(comparison.variants.size() == 3);
  CHECK(comparison.variants[0].reference);
  CHECK_FALSE(comparison.variants[0].paired.has_value());
  const auto& paired = comparison.variants[1].paired.value();
  CHECK(paired.n == 198);
  CHECK(paired.right_to_wrong == 23);
  CHECK(paired.wrong_to_right == 16);
  CHECK(paired.delta == Approx(-7.0 / 198));
  CHECK(paired.mcnemar_p.value() == Approx(0.3368).margin(0.0001));  // scipy.stats.binomtest(16, 39)
  CHECK(paired.bootstrap.low < paired.delta);
  CHECK(paired.bootstrap.high > 0);
  CHECK(comparison.variants[1].verdict ==
        "not resolvable with one run at n=198: 7 net of 39 flips (at least 15 net would be needed)");
  CHECK_THAT(comparison.variants[2].verdict, Catch::StartsWith("worse by 18.2 pp (95% "));
  CHECK_THAT(comparison.variants[2].verdict, Catch::EndsWith("36 net of 36 flips at n=198, p < 0.0001"));
  CHECK(any_contains(comparison.warnings, "runner.quant differs: 128e has Q6_K, E4B has Q8_0"));
}

TEST_CASE("the published counts say what counts can") {
  const auto comparison = published_comparison();
  REQUIRE(comparison.variants.size() == 4);
  CHECK(comparison.variants[2].unpaired->p == Approx(0.43).margin(0.005));
  CHECK_THAT(comparison.variants[2].verdict, Catch::Contains("at most 9 questions flip"));
  CHECK_THAT(comparison.variants[1].verdict, Catch::Contains("equal counts"));
}

TEST_CASE("runs that asked other prompts are refused, the trials named") {
  auto runs = one_run_each();
  runs[1].trials[3].prompt_hash = "another";
  runs[1].trials[77].target = "(D)";
  CHECK_THROWS_WITH(compare_runs(runs, {}),
                    Catch::Contains("different prompts in 2 of 198 shared trials (doc 3, 77)"));
}

TEST_CASE("runs without a common trial, unknown references, no runs") {
  auto runs = one_run_each();
  CHECK_THROWS_WITH(compare_runs(runs, {.reference = "64e"}), Catch::Contains("there are 128e, 109e, E4B"));
  CHECK_THROWS_AS(compare_runs({}, {}), InputError);
  runs[1].trials.erase(runs[1].trials.begin() + 1, runs[1].trials.end());
  runs[0].trials.erase(runs[0].trials.begin());
  CHECK_THROWS_WITH(compare_runs(runs, {}), Catch::Contains("share no trial"));
}

TEST_CASE("the reference's place doesn't matter, and swapping the two swaps the flips") {
  auto runs = one_run_each();
  std::reverse(runs.begin(), runs.end());
  const auto reversed = compare_runs(runs, {});
  CHECK(reversed.variants[0].name == "128e");
  const auto swapped = compare_runs(one_run_each(), {.reference = "109e"});
  CHECK(swapped.variants[0].name == "109e");
  CHECK(swapped.variants[1].paired->right_to_wrong == 16);
  CHECK(swapped.variants[1].paired->wrong_to_right == 23);
  CHECK(swapped.variants[1].paired->delta == Approx(7.0 / 198));
}

TEST_CASE("the same answers twice") {
  const auto runs = one_run_each();
  const std::vector<RunRecord> twice{runs[0], runs[0]};
  const auto comparison = compare_runs(twice, {});
  CHECK(comparison.variants[1].verdict == "right and wrong on the same questions, all 198");
  CHECK(comparison.variants[1].paired->mcnemar_p == 1);
}

TEST_CASE("what follows from another number of trials is said once, not as a hash") {
  auto runs = one_run_each();
  runs[1].manifest.prompts_sha256 = std::string(64, 'f');
  CHECK_FALSE(any_contains(compare_runs(runs, {}).warnings, "prompts_sha256"));
}

TEST_CASE("a trial that failed in either run is no pair") {
  for (const std::size_t failing : {0u, 1u}) {
    auto runs = one_run_each();
    for (std::size_t doc = 0; doc < 3; ++doc) {
      runs[failing].trials[doc].outcome = Outcome::failed;
    }
    const auto comparison = compare_runs(runs, {});
    const auto& paired = comparison.variants[1].paired.value();
    CHECK(paired.n == 195);
    CHECK(paired.failed == 3);
    CHECK(paired.right_to_wrong == 20);  // three of the 23 were among them
  }
}

TEST_CASE("a field left to the servers is compared as they would use it") {
  auto runs = one_run_each();
  runs[0].manifest.runner.server_defaults["min_p"] = "0.05";
  runs[1].manifest.runner.server_defaults["min_p"] = "0.0";
  CHECK(any_contains(compare_runs(runs, {}).warnings, "min_p is left to the servers, and differs"));
}

TEST_CASE("repeats: question by question, without McNemar") {
  const auto comparison = compare_runs(four_repeats(), {});
  const auto& paired = comparison.variants[1].paired.value();
  CHECK_FALSE(paired.mcnemar_p.has_value());
  CHECK(paired.n == 792);
  CHECK(paired.questions == 198);
  CHECK(paired.bootstrap.low < paired.delta);
  CHECK(paired.delta < paired.bootstrap.high);
  // The bootstrap of a mean is as wide as its clustered standard error says; 2% of the half width is the
  // percentiles' own noise at 10,000 resamples, four of them are allowed.
  const double half = 1.96 * paired.standard_error.value();
  CHECK(paired.bootstrap.low == Approx(paired.delta - half).margin(0.08 * half));
  CHECK_THAT(comparison.variants[1].verdict, Catch::Contains("792 pairs over 198 questions"));
}

TEST_CASE("runs with repeats that share one repeat are compared as one run each") {
  auto runs = four_repeats();
  std::erase_if(runs[1].trials, [](const TrialRecord& t) { return t.id.repeat != 2; });
  const auto comparison = compare_runs(runs, {});
  const auto& paired = comparison.variants[1].paired.value();
  CHECK(paired.n == 198);
  CHECK(paired.mcnemar_p.has_value());
}

TEST_CASE("repeats: few questions that moved resolve nothing, however often they were asked") {
  std::vector<RunRecord> runs;
  for (const auto* name : {"128e", "98e"}) {
    runs.push_back(constructed_run(constructed_manifest(name, 128, 5, 8),
                                   [&](TrialRecord& t) { make_right(t, runs.empty()); }));
  }
  const auto comparison = compare_runs(runs, {});
  CHECK(comparison.variants[1].paired->bootstrap.high < 0);  // a bootstrap of five knows no doubt
  CHECK_THAT(comparison.variants[1].verdict, Catch::StartsWith("not resolved: only 5 questions moved"));
}

TEST_CASE("an unfinished run: pairs are what both answered, and every gap is said") {
  const auto comparison = compare_runs(unfinished(), {.reference = "128e"});
  const auto& variant = comparison.variants[1];
  CHECK(variant.paired->n == 147);
  CHECK(variant.paired->failed == 3);
  CHECK(variant.contaminated == "GPQA Diamond itself");
  for (const auto* part : {"sampling.max_tokens differs", "runner.build differs", "150 of 198 trials asked",
                           "3 failed trials", "is contaminated", "over the 147 trials that both answered",
                           "48 only in 128e, 3 failed in one of them"}) {
    INFO(part);
    CHECK(any_contains(comparison.warnings, part));
  }
}

TEST_CASE("each setting that can move a score stands in front when it differs") {
  const auto warned = [](auto change, const std::string& part) {
    auto runs = one_run_each();
    change(runs[1].manifest);
    INFO(part);
    CHECK_FALSE(any_contains(compare_runs(one_run_each(), {}).warnings, part));
    CHECK(any_contains(compare_runs(runs, {}).warnings, part));
  };
  warned([](Manifest& m) { m.runner.slots = 4; }, "runner.slots differs: 128e has 1, 109e has 4");
  warned([](Manifest& m) { m.runner.concurrency = 4; }, "runner.concurrency differs");
  warned([](Manifest& m) { m.runner.chat_template_sha256 = "b"; }, "runner.chat_template_sha256 differs");
  warned([](Manifest& m) { m.sampling.min_p = 0.1; }, "min_p differs: 128e has none, 109e has 0.1");
  warned([](Manifest& m) { m.sampling.thinking = Thinking::off; }, "thinking differs");
  warned([](Manifest& m) { m.trials.version = TaskVersion::v1_0; }, "2.2");
  warned([](Manifest& m) { m.trials.run_seed = 7; }, "seed differs");
  warned([](Manifest& m) { m.dataset_sha256 = "c"; }, "dataset.sha256 differs");
  warned([](Manifest& m) { m.profile = "greedy"; }, "profile differs");
}

TEST_CASE("what variants are about is no warning") {
  auto runs = one_run_each();
  runs.pop_back();
  runs[1].manifest.map_file = "98e.json";
  runs[1].manifest.calibrated_on = "all categories";
  runs[1].manifest.runner.model_id = "another.gguf";
  runs[1].manifest.runner.n_params = 20;
  runs[1].manifest.runner.url = "http://elsewhere";
  CHECK(compare_runs(runs, {}).warnings.empty());
}

TEST_CASE("contamination is read from what a map was calibrated on") {
  const auto with = [](const std::string& on) {
    auto runs = one_run_each();
    runs[1].manifest.map_file = "map.json";
    runs[1].manifest.calibrated_on = on;
    return compare_runs(runs, {});
  };
  CHECK(with("the 198 GPQA questions").variants[1].contaminated == "the 198 GPQA questions");
  CHECK(with("the evaluated questions").variants[1].contaminated == "the evaluated questions");
  CHECK(with("all categories").variants[1].contaminated.empty());
  CHECK(any_contains(with("").warnings, "(map.json) was calibrated on is not said"));
}

TEST_CASE("a map calibrated on evaluated questions contaminates, whatever its words are") {
  auto runs = one_run_each();
  runs[1].manifest.map_file = "map.json";
  runs[1].manifest.on_evaluated_questions = true;
  CHECK(compare_runs(runs, {}).variants[1].contaminated == "evaluated questions");
  runs[1].manifest.calibrated_on = "questions 1 to 198";
  const auto comparison = compare_runs(runs, {});
  CHECK(comparison.variants[1].contaminated == "questions 1 to 198");
  CHECK(any_contains(comparison.warnings,
                     "109e is contaminated: its drop map (map.json) was calibrated on questions 1"));
}

TEST_CASE("nested drop maps are marked, and only those") {
  auto runs = one_run_each();
  const auto warned = [&](const std::string& words) {
    return any_contains(compare_runs(runs, {}).warnings, words);
  };
  runs[1].manifest.map_drops = {"2 10", "0 7"};
  runs[2].manifest.map_drops = {"1 2 10", "0 7 11"};
  CHECK(
      warned("nested drop maps: the experts that 109e lacks are all among those that E4B lacks; they are no "
             "independent evidence"));
  runs[2].manifest.on_evaluated_questions = true;
  CHECK(warned("what E4B was calibrated on bears on 109e too"));
  std::swap(runs[1].manifest.map_drops, runs[2].manifest.map_drops);
  CHECK(warned("the experts that E4B lacks are all among those that 109e lacks"));
  runs[1].manifest.map_drops = runs[2].manifest.map_drops;
  CHECK(warned("109e and E4B rest on the same drops"));
  runs[1].manifest.map_drops = {"2 10", "0 8"};
  CHECK_FALSE(warned("nested"));
  runs[1].manifest.map_drops = {"2 10"};
  CHECK_FALSE(warned("nested"));
  runs[1].manifest.map_drops.clear();
  CHECK_FALSE(warned("nested"));
}

TEST_CASE("a server that sampled otherwise is said to have") {
  auto runs = one_run_each();
  runs[1].trials[5].sampling_mismatch = "min_p";
  CHECK(any_contains(compare_runs(runs, {}).warnings, "109e: in 1 trial the server says"));
}

TEST_CASE("two runs of one name are told apart by their folders") {
  auto runs = one_run_each();
  runs[1].manifest.variant = "128e";
  runs[1].folder = "runs/again";
  const auto comparison = compare_runs(runs, {.reference = "128e (runs/again)"});
  CHECK(comparison.variants[0].name == "128e (runs/again)");
  CHECK(comparison.variants[1].name == "128e (runs/128e)");
  CHECK_THROWS_WITH(compare_runs(runs, {.reference = "128e"}), Catch::Contains("128e (runs/128e)"));
}

TEST_CASE("a run without an answer yet compares to nothing, not to zero") {
  auto runs = one_run_each();
  runs[1].trials.clear();
  const auto comparison = compare_runs(runs, {});
  CHECK(comparison.variants[1].paired->n == 0);
  CHECK(comparison.variants[1].verdict == "no trial in common that neither run failed in");
  CHECK(comparison.variants[1].summary.flexible.wilson.low == 0);
  CHECK(comparison.variants[1].summary.flexible.wilson.high == 1);
}

TEST_CASE("other prompts in every repeat of many questions: five are named") {
  auto runs = four_repeats();
  for (auto& trial : runs[1].trials) {
    trial.prompt_hash += "x";
  }
  CHECK_THROWS_WITH(compare_runs(runs, {}),
                    Catch::Contains("in 792 of 792 shared trials (doc 0, 1, 2, 3, 4, ...)"));
}

TEST_CASE("the order of runs changes no figure") {
  auto runs = one_run_each();
  const auto first = compare_runs(runs, {});
  std::sort(runs.begin(), runs.end(),
            [](const RunRecord& a, const RunRecord& b) { return a.manifest.variant > b.manifest.variant; });
  const auto second = compare_runs(runs, {});
  REQUIRE(second.variants.size() == first.variants.size());
  for (const auto& variant : first.variants) {
    const auto same = std::find_if(second.variants.begin(), second.variants.end(),
                                   [&](const ComparedVariant& v) { return v.name == variant.name; });
    REQUIRE(same != second.variants.end());
    CHECK(same->verdict == variant.verdict);
    CHECK(same->summary.flexible.correct == variant.summary.flexible.correct);
    if (variant.paired) {
      CHECK(same->paired->bootstrap.low == variant.paired->bootstrap.low);
      CHECK(same->paired->mcnemar_p == variant.paired->mcnemar_p);
    }
  }
}

TEST_CASE("the most flips among which a net is significant: every one up to it, none beyond") {
  for (std::int64_t net = 1; net < 40; ++net) {
    const auto most = most_significant_flips(net, 2000);
    INFO("net " << net << ", most " << most);
    CHECK((most > 0) == (net >= 6));
    for (std::int64_t flips = net; flips <= 2000; flips += 2) {
      const double p = mcnemar_exact((flips - net) / 2, (flips + net) / 2);
      REQUIRE((p < 0.05) == (flips <= most));
    }
  }
  CHECK(most_significant_flips(7, 198) == 9);
  CHECK(most_significant_flips(50, 60) == 60);  // no more flips are possible
  CHECK(most_significant_flips(50, 40) == 0);
}

}  // namespace
}  // namespace gpqa
