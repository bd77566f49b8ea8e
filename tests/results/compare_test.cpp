#include "results/compare.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "results/comparison_files.h"
#include "results/markdown.h"
#include "results/verdict.h"
#include "tests/catch.h"
#include "tests/results/approval.h"
#include "tests/results/constructed_runs.h"

namespace gpqa {
namespace {

// 149 right in the reference; 23 of them lost and 16 others won: net 7 of 39.
std::vector<RunRecord> one_run_each() {
  std::vector<RunRecord> runs;
  runs.push_back(constructed_run(constructed_manifest("128e", 128, 198),
                                 [](TrialRecord& t) { make_right(t, t.id.doc_id < 149); }));
  runs.push_back(constructed_run(constructed_manifest("109e", 109, 198), [](TrialRecord& t) {
    make_right(t, (t.id.doc_id >= 23 && t.id.doc_id < 149) || t.id.doc_id >= 182);
    if (t.id.doc_id < 5) {
      t.outcome = Outcome::rumination;
    }
  }));
  runs.push_back(constructed_run(constructed_manifest("E4B", 0, 198),
                                 [](TrialRecord& t) { make_right(t, t.id.doc_id < 113); }));
  runs[0].manifest.reference = true;
  runs[2].manifest.experts.reset();
  runs[2].manifest.runner.quant = "Q8_0";
  return runs;
}

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
        "not resolvable with one run at n=198: 7 net of 39 flips (15 net would be needed)");
  CHECK_THAT(comparison.variants[2].verdict, Catch::StartsWith("worse by 18.2 pp: 36 net of 36 flips"));
  CHECK(any_contains(comparison.warnings, "runner.quant differs: 128e has Q6_K, E4B has Q8_0"));
}

TEST_CASE("tables of one run each", "[approval]") {
  const auto comparison = compare_runs(one_run_each(), {});
  gpqa_test::check_approved("one_run_each.md", to_markdown(comparison));
  gpqa_test::check_approved("one_run_each.csv", to_csv(comparison));
  gpqa_test::check_approved("one_run_each.json", to_json(comparison).dump(2) + "\n");
}

TEST_CASE("tables of repeats", "[approval]") {
  std::vector<RunRecord> runs;
  runs.push_back(constructed_run(constructed_manifest("128e", 128, 198, 4), [](TrialRecord& t) {
    make_right(t, (t.id.doc_id * 7 + t.id.repeat * 3) % 10 < 8);
  }));
  runs.push_back(constructed_run(constructed_manifest("98e", 98, 198, 4), [](TrialRecord& t) {
    make_right(t, (t.id.doc_id * 7 + t.id.repeat) % 10 < 7);
  }));
  const auto comparison = compare_runs(runs, {});
  CHECK_FALSE(comparison.variants[1].paired->mcnemar_p.has_value());
  CHECK(comparison.variants[1].paired->questions == 198);
  gpqa_test::check_approved("repeats.md", to_markdown(comparison));
}

TEST_CASE("tables of an unfinished, failing, contaminated run", "[approval]") {
  std::vector<RunRecord> runs;
  runs.push_back(constructed_run(constructed_manifest("128e", 128, 198),
                                 [](TrialRecord& t) { make_right(t, t.id.doc_id < 149); }));
  auto manifest = constructed_manifest("109e | v3\x1b[31m", 109, 198);
  manifest.map_file = "teacher_force.json";
  manifest.calibrated_on = "GPQA Diamond itself";
  manifest.runner.build = "b10434";
  manifest.sampling.max_tokens = 4096;
  runs.push_back(constructed_run(manifest, [](TrialRecord& t) {
    make_right(t, t.id.doc_id % 3 != 0);
    if (t.id.doc_id < 3) {
      t.outcome = Outcome::failed;
    } else if (t.id.doc_id < 8) {
      t.outcome = Outcome::lost_parse;
      make_right(t, false);
    } else if (t.id.doc_id >= 150) {
      t.outcome = Outcome::cancelled;
    }
  }));
  const auto comparison = compare_runs(runs, {.reference = "128e"});
  CHECK(comparison.variants[1].paired->n == 147);  // without the failed ones
  CHECK(comparison.variants[1].contaminated == "GPQA Diamond itself");
  CHECK(any_contains(comparison.warnings, "sampling.max_tokens differs"));
  CHECK(any_contains(comparison.warnings, "runner.build differs"));
  CHECK(any_contains(comparison.warnings, "150 of 198"));
  const auto text = to_markdown(comparison);
  CHECK(text.find('\x1b') == std::string::npos);
  gpqa_test::check_approved("unfinished.md", text);
}

TEST_CASE("the published card", "[approval]") {
  gpqa_test::check_approved("published.md", to_markdown(published_comparison()));
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

TEST_CASE("a field left to the servers is compared as they would use it") {
  auto runs = one_run_each();
  runs[0].manifest.runner.server_defaults["min_p"] = "0.05";
  runs[1].manifest.runner.server_defaults["min_p"] = "0.0";
  CHECK(any_contains(compare_runs(runs, {}).warnings, "min_p is left to the servers, and differs"));
}

TEST_CASE("CSV: formulas are inert, quotes doubled") {
  auto runs = one_run_each();
  runs[1].manifest.variant = "=1+1,\"x\"";
  CHECK(to_csv(compare_runs(runs, {})).find("\"'=1+1,\"\"x\"\"\"") != std::string::npos);
}

}  // namespace
}  // namespace gpqa
