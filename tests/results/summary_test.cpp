#include "results/summary.h"

#include <cmath>

#include "tests/catch.h"
#include "tests/results/constructed_runs.h"

namespace gpqa {
namespace {

TEST_CASE("a finished run: every trial is in one of the counts") {
  const auto run = constructed_run(constructed_manifest("v", 128, 10), [](TrialRecord& t) {
    switch (t.id.doc_id) {
      case 0:
        make_right(t);
        break;
      case 1:
        t.score.flexible.extracted = "[invalid]";
        break;
      case 2:
        t.outcome = Outcome::cut_in_reasoning;
        t.score.flexible.extracted = "[invalid]";
        break;
      case 3:
        t.outcome = Outcome::rumination;
        make_right(t);
        break;
      case 4:
        t.outcome = Outcome::lost_parse;
        t.score.flexible.extracted = "[invalid]";
        break;
      case 5:
        t.outcome = Outcome::failed;
        t.retries = 8;
        break;
      case 6:
        t.outcome = Outcome::context_full;
        break;
      case 7:
        t.sampling_mismatch = "min_p";
        break;
      default:
        break;
    }
  });
  const auto s = summarise(run);
  CHECK(s.n == 10);
  CHECK(s.done == 10);
  CHECK(s.flexible.correct == 2);  // a truncated answer can be right
  CHECK(s.flexible.mean == Approx(0.2));
  CHECK(s.unparsed == 2);
  CHECK(s.truncated == 3);
  CHECK(s.rumination == 1);
  CHECK(s.context_full == 1);
  CHECK(s.lost == 1);
  CHECK(s.failed == 1);
  CHECK(s.retries == 8);
  CHECK(s.sampling_mismatches == 1);
  CHECK(s.answered == 6);
  CHECK(s.answered + s.unparsed + s.lost + s.failed == s.done);
  CHECK(s.flexible.bounds.low == Approx(0.2));
  CHECK(s.flexible.bounds.high == Approx(0.4));  // the lost one and the failed one
}

TEST_CASE("an unfinished run is over what was asked; its bounds are over all") {
  const auto run = constructed_run(constructed_manifest("v", 128, 100), [](TrialRecord& t) {
    make_right(t);
    if (t.id.doc_id >= 40) {
      t.outcome = Outcome::cancelled;
    }
  });
  const auto s = summarise(run);
  CHECK(s.done == 40);
  CHECK(s.flexible.mean == 1);
  CHECK(s.flexible.bounds.low == Approx(0.4));
  CHECK(s.flexible.bounds.high == 1);
}

TEST_CASE("a failed trial is never right, whatever its record says") {
  const auto run = constructed_run(constructed_manifest("v", 128, 4), [](TrialRecord& t) {
    make_right(t);
    t.outcome = Outcome::failed;
  });
  CHECK(summarise(run).flexible.correct == 0);
}

TEST_CASE("repeats: the mean of each question first, the error clustered by question") {
  // Question 0 always right, 1 never, the others in one of two repeats: clustered, no more than 4 questions'
  // worth.
  const auto run = constructed_run(constructed_manifest("v", 128, 4, 2), [](TrialRecord& t) {
    make_right(t, t.id.doc_id == 0 || (t.id.doc_id >= 2 && t.id.repeat == 0));
  });
  const auto s = summarise(run);
  CHECK(s.n == 8);
  CHECK(s.flexible.correct == 4);
  CHECK(s.flexible.mean == Approx(0.5));
  // means 1, 0, 0.5, 0.5: sd = sqrt(0.5 / 3), over sqrt(4)
  CHECK(s.flexible.standard_error.value() == Approx(std::sqrt(0.5 / 3) / 2));
  CHECK(s.flexible.wilson.low == Approx(0.5 - 1.959963984540054 * std::sqrt(0.5 / 3) / 2));
}

TEST_CASE("a limit is part of the plan") {
  auto manifest = constructed_manifest("v", 128, 198);
  manifest.trials.limit = 0.1;
  CHECK(planned_questions(manifest) == 20);
  manifest.trials.limit = 7;
  CHECK(planned_questions(manifest) == 7);
}

TEST_CASE("token means are over the trials that report them") {
  const auto run = constructed_run(constructed_manifest("v", 128, 4), [](TrialRecord& t) {
    if (t.id.doc_id < 2) {
      t.tokens = {.prompt = 1, .completion = 1, .reasoning = std::nullopt, .content = std::nullopt};
    } else {
      t.tokens.reasoning = 100 * t.id.doc_id;
    }
  });
  CHECK(summarise(run).mean_reasoning_tokens.value() == Approx(250));
  CHECK(summarise(run).mean_answer_tokens.value() == Approx(200));
}

TEST_CASE("repeats without any spread are not certain") {
  const auto run =
      constructed_run(constructed_manifest("v", 128, 4, 8), [](TrialRecord& t) { make_right(t); });
  const auto s = summarise(run);
  CHECK(s.flexible.standard_error.value() == 0);
  CHECK(s.flexible.wilson.low == wilson_interval(4, 4).low);  // four questions, not 32 trials
  CHECK(s.flexible.wilson.high == 1);
}

TEST_CASE("the intervals and the bounds hold the accuracy, however a run went") {
  for (std::uint32_t repeats : {1U, 3U}) {
    for (std::uint32_t step = 2; step < 9; ++step) {
      const auto run = constructed_run(constructed_manifest("v", 128, 50, repeats), [&](TrialRecord& t) {
        const auto kind = t.id.doc_id * 3 + t.id.repeat;
        make_right(t, kind % step != 0);
        t.outcome = kind % 11 == 0 ? Outcome::failed : kind % 13 == 0 ? Outcome::lost_parse : Outcome::stop;
      });
      const auto s = summarise(run);
      for (const auto& accuracy : {s.flexible, s.strict}) {
        CHECK(accuracy.wilson.low <= accuracy.mean);
        CHECK(accuracy.mean <= accuracy.wilson.high);
        CHECK(accuracy.bounds.low <= accuracy.mean + 1e-12);  // the two sum in different orders
        CHECK(accuracy.mean <= accuracy.bounds.high + 1e-12);
      }
    }
  }
}

TEST_CASE("token means are unknown where no trial reports them") {
  const auto run = constructed_run(constructed_manifest("v", 128, 4), [](TrialRecord& t) {
    t.tokens.reasoning.reset();
    t.tokens.content.reset();
  });
  CHECK_FALSE(summarise(run).mean_reasoning_tokens.has_value());
  CHECK_FALSE(summarise(run).mean_answer_tokens.has_value());
}

TEST_CASE("no trial yet: nothing is known") {
  auto run = constructed_run(constructed_manifest("v", 128, 4), [](TrialRecord&) {});
  run.trials.clear();
  const auto s = summarise(run);
  CHECK(s.n == 4);
  CHECK(s.done == 0);
  CHECK(s.flexible.wilson.low == 0);
  CHECK(s.flexible.wilson.high == 1);
  CHECK(s.flexible.bounds.low == 0);
  CHECK(s.flexible.bounds.high == 1);
}

}  // namespace
}  // namespace gpqa
