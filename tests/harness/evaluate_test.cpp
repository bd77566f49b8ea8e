#include "harness/evaluate.h"

#include <csignal>
#include <map>
#include <sys/resource.h>

#include "results/run_files.h"
#include "runners/runner_errors.h"
#include "tests/catch.h"
#include "tests/harness/scripted_run.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using gpqa_test::ScriptedRun;
using gpqa_test::stopped;

namespace {

Completion failing() {
  Completion completion;
  completion.outcome = Outcome::failed;
  completion.error = "connection reset";
  completion.content = "The answer is (A)";  // what had come before the reset
  completion.retries = 8;
  return completion;
}

}  // namespace

TEST_CASE("every trial is asked once and kept with its score") {
  const ScriptedRun run(7, 2);
  const TemporaryFolder folder;
  std::map<TrialId, int> asked;
  const auto result = run.go(folder.path() / "r", [&](const Request& request) {
    ++asked[request.id];
    const auto& trial = run.trial(request.id);
    CHECK(request.prompt == trial.prompt);
    CHECK(request.seed == trial.seed);
    return stopped(request.id.doc_id % 2 == 0 ? "The answer is " + trial.target() : "nothing");
  });
  CHECK(result.recorded == 14);
  CHECK(result.failed == 0);
  CHECK_FALSE(result.stopped);
  CHECK(asked.size() == 14);
  for (const auto& [id, times] : asked) CHECK(times == 1);

  const auto kept = read_run(folder.path() / "r");
  REQUIRE(kept.trials.size() == 14);
  for (const auto& record : kept.trials) {
    const auto& trial = run.trial(record.id);
    CHECK(record.score.flexible.correct == (record.id.doc_id % 2 == 0));
    CHECK(record.target == trial.target());
    CHECK(record.prompt_hash == trial.prompt_hash);
    CHECK(record.seed == trial.seed);
    CHECK(record.tokens == TokenCounts{10, 5, 3, 2});
    const auto transcript = read_transcript(kept, record);
    CHECK(transcript.prompt == trial.prompt);
    CHECK(transcript.choices == trial.choices);
  }
}

TEST_CASE("the same run again asks nothing") {
  const ScriptedRun run(5);
  const TemporaryFolder folder;
  run.go(folder.path() / "r", [](const Request&) { return stopped("(A)"); });
  int asked = 0;
  const auto result = run.go(folder.path() / "r", [&](const Request&) {
    ++asked;
    return stopped("(B)");
  });
  CHECK(asked == 0);
  CHECK(result.recorded == 0);
  CHECK_FALSE(result.stopped);
}

TEST_CASE("a stop ends the run in sequence, and the next one asks only what is missing") {
  const ScriptedRun run(10);
  const TemporaryFolder folder;
  std::stop_source stop;
  std::vector<std::uint32_t> asked;
  const auto first = run.go(
      folder.path() / "r",
      [&](const Request& request) {
        asked.push_back(request.id.doc_id);
        if (asked.size() == 4) stop.request_stop();
        return stopped("(A)");
      },
      stop.get_token());
  CHECK(first.stopped);
  CHECK(first.recorded + first.cancelled == asked.size());
  CHECK(asked.size() == 4);
  const auto kept = read_run(folder.path() / "r").trials.size();
  CHECK(kept == first.recorded);

  std::size_t second_asked = 0;
  const auto second = run.go(folder.path() / "r", [&](const Request&) {
    ++second_asked;
    return stopped("(A)");
  });
  CHECK_FALSE(second.stopped);
  CHECK(second_asked == 10 - kept);
  CHECK(read_run(folder.path() / "r").trials.size() == 10);
}

TEST_CASE("cancelled answers are not kept and are asked again") {
  const ScriptedRun run(3);
  const TemporaryFolder folder;
  std::stop_source stop;
  const auto result = run.go(
      folder.path() / "r",
      [&](const Request&) {
        stop.request_stop();
        Completion completion;
        completion.outcome = Outcome::cancelled;
        return completion;
      },
      stop.get_token());
  CHECK(result.cancelled == 1);
  CHECK(result.recorded == 0);
  CHECK(result.stopped);
  CHECK(read_run(folder.path() / "r").trials.empty());
}

TEST_CASE("a failed call is not scored by what had come, is counted, and is asked again") {
  const ScriptedRun run(4);
  const TemporaryFolder folder;
  const auto first = run.go(folder.path() / "r", [](const Request& request) {
    return request.id.doc_id == 2 ? failing() : stopped("(A)");
  });
  CHECK(first.recorded == 4);
  CHECK(first.failed == 1);
  CHECK_FALSE(first.stopped);
  const auto kept = read_run(folder.path() / "r");
  CHECK(kept.trials.size() == 4);
  CHECK(kept.trials[2].outcome == Outcome::failed);
  CHECK(kept.trials[2].score.flexible.extracted == kInvalid);
  CHECK_FALSE(kept.trials[2].score.flexible.correct);

  std::vector<std::uint32_t> asked;
  run.go(folder.path() / "r", [&](const Request& request) {
    asked.push_back(request.id.doc_id);
    return stopped("(A)");
  });
  CHECK(asked == std::vector<std::uint32_t>{2});
  const auto again = read_run(folder.path() / "r");
  CHECK(again.trials.size() == 4);
  CHECK(again.trials[2].outcome == Outcome::stop);
  CHECK(again.trials[2].score.flexible.extracted == "(A)");
}

TEST_CASE("what a model did is never asked again, however it ended") {
  const ScriptedRun run(6);
  const TemporaryFolder folder;
  constexpr Outcome kOutcomes[] = {Outcome::stop,       Outcome::cut_in_reasoning, Outcome::cut_in_answer,
                                   Outcome::rumination, Outcome::context_full,     Outcome::lost_parse};
  run.go(folder.path() / "r", [&](const Request& request) {
    auto completion = stopped("");
    completion.outcome = kOutcomes[request.id.doc_id];
    return completion;
  });
  int asked = 0;
  run.go(folder.path() / "r", [&](const Request&) {
    ++asked;
    return stopped("(A)");
  });
  CHECK(asked == 0);
}

TEST_CASE("a truncated answer that is right is right") {
  const ScriptedRun run(1);
  auto completion = stopped("... " + run.trials[0].target() + " and");
  completion.outcome = Outcome::cut_in_answer;
  const auto record = make_record(run.trials[0], completion, run.manifest.sampling);
  CHECK(record.outcome == Outcome::cut_in_answer);
  CHECK(record.score.flexible.correct);
}

TEST_CASE("the record's seed is the one that was sent") {
  const ScriptedRun run(1);
  SamplingConfig sampling;
  CHECK(make_record(run.trials[0], stopped(""), sampling).seed == run.trials[0].seed);
  sampling.seed_rule = SeedRule::constant;
  sampling.constant_seed = 1234;
  CHECK(make_record(run.trials[0], stopped(""), sampling).seed == 1234);
}

TEST_CASE("an aborted run keeps what it has") {
  const ScriptedRun run(5);
  const TemporaryFolder folder;
  CHECK_THROWS_AS(run.go(folder.path() / "r",
                         [](const Request& request) -> Completion {
                           if (request.id.doc_id == 3) throw RunAborted("401");
                           return stopped("(A)");
                         }),
                  RunAborted);
  CHECK(read_run(folder.path() / "r").trials.size() == 3);
}

namespace {

// Brings what nobody asked for, or nothing at all.
struct OddRunner final : Runner {
  bool answers = false;
  RunnerInfo info() const override { return {}; }
  void run(RequestSource& source, Sink& sink, std::stop_token) override {
    const auto request = source.next();
    if (!answers || !request) return;
    auto completion = stopped("(A)");
    completion.id = request->id;
    sink.on_done(completion);
    sink.on_done(completion);
  }
};

}  // namespace

TEST_CASE("a runner that answers twice, or not at all, is caught") {
  const ScriptedRun run(3);
  const TemporaryFolder folder;
  RunJournal journal(folder.path() / "r", run.manifest);
  EvaluationObserver quiet;
  OddRunner runner;
  CHECK_THROWS_AS(evaluate(runner, run.trials, run.manifest.sampling, journal, quiet, {}), std::logic_error);
  runner.answers = true;
  CHECK_THROWS_AS(evaluate(runner, run.trials, run.manifest.sampling, journal, quiet, {}), std::logic_error);
  CHECK(journal.run().trials.size() == 1);
}

TEST_CASE("a full disk stops the run, and loses no earlier answer") {
  const ScriptedRun run(20);
  const TemporaryFolder folder;
  run.go(folder.path() / "r",
         [](const Request& request) { return request.id.doc_id < 3 ? stopped("(A)") : failing(); });
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit full{std::filesystem::file_size(folder.path() / "r/transcripts.jsonl") + 10, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &full) == 0);
  int asked = 0;
  std::string error;
  try {
    run.go(folder.path() / "r", [&](const Request&) {
      ++asked;
      return stopped("(B)");
    });
  } catch (const std::exception& e) {
    error = e.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK_FALSE(error.empty());
  CHECK(asked == 1);
  const auto kept = read_run(folder.path() / "r");
  for (std::uint32_t doc = 0; doc < 3; ++doc) CHECK(kept.trials[doc].outcome == Outcome::stop);
}
