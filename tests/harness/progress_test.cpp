#include "harness/progress.h"

#include <limits>

#include "tests/catch.h"

using namespace gpqa;

namespace {

TrialRecord record(Outcome outcome, bool right, std::int64_t tokens = 100) {
  TrialRecord r;
  r.outcome = outcome;
  r.score.flexible.correct = right;
  r.tokens.completion = tokens;
  return r;
}

ProgressState example() {
  ProgressState s;
  s.total = 198;
  s.done = 57;
  s.scored = 57;
  s.correct = 41;
  s.truncated = 2;
  s.tokens_per_s = 48.13;
  s.eta_s = 3 * 3600 + 12 * 60 + 5;
  return s;
}

}  // namespace

TEST_CASE("the line tells done, accuracy with its interval, ETA, speed, truncated and failed") {
  CHECK(
      progress_line(example(), 100) ==
      "[#######..................] 57/198  71.9% [59.2, 81.9]  ETA 3h12m  48.1 tok/s  truncated 2  failed 0");
  CHECK(progress_words(example()) ==
        "57/198  71.9% [59.2, 81.9]  ETA 3h12m  48.1 tok/s  truncated 2  failed 0");
}

TEST_CASE("the line never exceeds the width, and keeps done/total longest") {
  for (std::size_t width = 0; width < 200; ++width) {
    const auto line = progress_line(example(), width);
    INFO(width);
    CHECK(line.size() <= width);
    if (width >= 6) CHECK(line.find("57/198") != std::string::npos);
  }
  CHECK(progress_line(example(), 30) == "57/198  71.9% [59.2, 81.9]");
}

TEST_CASE("an empty run, and a run of nothing, divide by nothing") {
  ProgressState none;
  CHECK(progress_line(none, 60) == "[..............................] 0/0  truncated 0  failed 0");
  const ProgressMeter meter(0, {}, 5);
  CHECK(meter.state(5).eta_s == 0.0);
  CHECK(meter.state(5).tokens_per_s == 0);
  ProgressMeter fresh(3, {}, 5);
  CHECK_FALSE(fresh.state(5).eta_s.has_value());
  fresh.on_delta(5);
  CHECK(fresh.state(5).tokens_per_s == 0);
}

TEST_CASE("a run that goes on counts what it kept, less what is asked again") {
  RunRecord run;
  run.trials = {record(Outcome::stop, true), record(Outcome::cut_in_answer, false),
                record(Outcome::failed, false), record(Outcome::lost_parse, false)};
  const auto state = ProgressMeter(10, run, 0).state(0);
  CHECK(state.done == 3);
  CHECK(state.scored == 3);
  CHECK(state.correct == 1);
  CHECK(state.truncated == 1);
  CHECK(state.lost == 1);
  CHECK(state.failed == 0);
}

TEST_CASE("a failed trial is done but doesn't count as wrong") {
  ProgressMeter meter(4, {}, 0);
  meter.on_record(record(Outcome::stop, true), 10);
  meter.on_record(record(Outcome::failed, false), 20);
  const auto state = meter.state(20);
  CHECK(state.done == 2);
  CHECK(state.scored == 1);
  CHECK(state.failed == 1);
  CHECK(progress_words(state).find("100.0%") != std::string::npos);
}

TEST_CASE("the ETA follows the last trials") {
  ProgressMeter meter(200, {}, 0);
  double now = 0;
  for (int i = 0; i < 50; ++i) meter.on_record(record(Outcome::stop, true), now += 100);
  CHECK(meter.state(now).eta_s == Approx(150 * 100));
  for (int i = 0; i < 50; ++i) meter.on_record(record(Outcome::stop, true), now += 1);
  CHECK(meter.state(now).eta_s == Approx(100 * 1));
  // Time that passes without an answer is time that has been waited.
  CHECK(meter.state(now + 30).eta_s == Approx(70));
  CHECK(meter.state(now + 1000).eta_s == 0.0);
}

TEST_CASE("speed comes from what streams in, else from finished answers") {
  ProgressMeter streaming(10, {}, 0);
  for (int i = 0; i < 1000; ++i) streaming.on_delta(i * 0.02);  // 50 a second for 20 s
  CHECK(streaming.state(20).tokens_per_s == Approx(50).epsilon(0.02));
  ProgressMeter quiet(10, {}, 0);
  quiet.on_record(record(Outcome::stop, true, 500), 10);
  CHECK(quiet.state(10).tokens_per_s == Approx(50));
}

TEST_CASE("durations read as people say them") {
  CHECK(duration_words(0) == "0s");
  CHECK(duration_words(59.9) == "59s");
  CHECK(duration_words(60) == "1m");
  CHECK(duration_words(3599) == "59m");
  CHECK(duration_words(3600) == "1h00m");
  CHECK(duration_words(11525) == "3h12m");
  CHECK(duration_words(48 * 3600) == "2d0h");
  CHECK(duration_words(-1) == "?");
  CHECK(duration_words(std::numeric_limits<double>::infinity()) == "?");
}

TEST_CASE("the estimate says how it was made") {
  CHECK_FALSE(estimate_duration({}, 198, 12288, 1, std::nullopt).has_value());
  CHECK_FALSE(estimate_duration({}, 198, 12288, 1, 0.0).has_value());
  const auto measured = estimate_duration({}, 198, 12288, 4, 50.0);
  REQUIRE(measured);
  CHECK(measured->upper_bound);
  CHECK(measured->seconds == Approx(198 * 12288 / 50.0));
  CHECK(measured->words.find("50.0 tokens/s") != std::string::npos);

  RunRecord run;
  for (const double ms : {1000.0, 3000.0}) {
    run.trials.push_back(record(Outcome::stop, true));
    run.trials.back().timing.total_ms = ms;
  }
  const auto known = estimate_duration(run, 10, 12288, 2, std::nullopt);
  REQUIRE(known);
  CHECK_FALSE(known->upper_bound);
  CHECK(known->seconds == Approx(10 * 2.0 / 2));
  CHECK(known->words == "from the 2 answers it has");
}
