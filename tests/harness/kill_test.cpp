// Whenever a run is ended, and however: going on with it gives what an undisturbed run gives.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "results/run_files.h"
#include "tests/catch.h"
#include "tests/harness/managed_run.h"
#include "tests/harness/run_line.h"
#include "tests/harness/shell.h"
#include "tests/support/fixed_answer_server.h"

using namespace gpqa;
using gpqa::test::FixedAnswerOptions;
using gpqa::test::FixedAnswerServer;
using gpqa_test::contents;
using gpqa_test::ManagedRun;
using gpqa_test::Shell;

namespace {

namespace fs = std::filesystem;

// GPQA_KILLS: how many; scripts/test.sh --all asks for 200.
int kills_wanted() {
  const char* text = std::getenv("GPQA_KILLS");
  return text == nullptr ? 20 : std::atoi(text);
}

std::vector<nlohmann::ordered_json> canonical_records(const fs::path& folder) {
  std::vector<nlohmann::ordered_json> all;
  for (const auto& record : read_run(folder).trials) all.push_back(canonical(record));
  return all;
}

struct Killings {
  int kills = 0;
  int inside = 0;  // between 1% and 99% of the run
};

// Without reaping it.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

void pause(std::mt19937& random) {
  std::this_thread::sleep_for(std::chrono::microseconds(random() % 250'000));
}

// Until the journal grows beyond `lines`, the program ends, or it has been long.
void await_answer(const fs::path& journal, std::size_t bytes, pid_t running) {
  for (int i = 0; i < 20'000 && contents(journal).size() == bytes && !has_ended(running); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

constexpr std::size_t kTrials = 198;

void count_kill(std::size_t lines, Killings& killings) {
  ++killings.kills;
  if (lines * 100 >= kTrials && lines * 100 <= kTrials * 99) ++killings.inside;
}

std::size_t lines_of(const fs::path& journal) {
  const auto text = contents(journal);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// Runs `line` again and again, ended by `signal` at random moments, until it is done.
void disturb(const Shell& gpqa, const std::string& line, int signal, std::mt19937& random,
             Killings& killings) {
  const auto journal = gpqa.folder.path() / "runs/a/a/trials.jsonl";
  while (true) {
    const pid_t running = gpqa.start(line);
    // Most of them after an answer has come, the others at any time from the start on.
    if (random() % 8 != 0) await_answer(journal, contents(journal).size(), running);
    pause(random);
    if (killings.kills < kills_wanted()) kill(running, signal);
    const auto result = gpqa.wait(running);
    if (result.code == 0) return;
    REQUIRE(result.code == 128 + signal);
    count_kill(lines_of(journal), killings);
  }
}

void check_spread(const Killings& killings, const std::string& what) {
  WARN(killings.kills << " " << what << ", " << killings.inside << " between 1% and 99% of the run");
  CHECK(killings.inside * 4 >= killings.kills * 3);
}

void check_disturbed(int signal) {
  FixedAnswerOptions options;
  options.model.slots = 4;
  options.deltas = 30;  // enough for the budget to be seen
  options.delay_ms = 1;
  const FixedAnswerServer server(options);
  const auto line = gpqa_test::run_line(server, "--name a --concurrency 4 --context-pool 131072");
  const Shell calm;
  REQUIRE(calm(line).code == 0);
  const auto expected = canonical_records(calm.folder.path() / "runs/a/a");
  REQUIRE(expected.size() == kTrials);
  const auto table = calm("compare runs/a").out;

  std::mt19937 random(static_cast<std::uint32_t>(signal));
  Killings killings;
  while (killings.kills < kills_wanted()) {
    const Shell gpqa;
    disturb(gpqa, line, signal, random, killings);
    CHECK(canonical_records(gpqa.folder.path() / "runs/a/a") == expected);
    CHECK(gpqa("compare runs/a").out == table);
    CHECK(gpqa("doctor runs/a/a").code == 0);
  }
  check_spread(killings, "ends by signal " + std::to_string(signal));
}

}  // namespace

TEST_CASE("kill -9 at random moments: each trial once, and nothing else than in an undisturbed run") {
  check_disturbed(SIGKILL);
}

TEST_CASE("Ctrl-C at random moments: each trial once, and nothing else than in an undisturbed run") {
  check_disturbed(SIGINT);
}

TEST_CASE("the server that gpqa started killed at random moments: nothing else than in an undisturbed run") {
  const std::string flags = ", \"--deltas\", \"30\", \"--delay-ms\", \"1\", \"--slots\", \"4\"";
  const std::string keys = "concurrency = 4\ncontext_pool = 131072\n";
  const ManagedRun calm(flags, kTrials, keys);
  REQUIRE(calm.gpqa("run --plan p.toml").code == 0);
  const auto expected = canonical_records(calm.run);
  REQUIRE(expected.size() == kTrials);

  std::mt19937 random(1);
  Killings killings;
  while (killings.kills < kills_wanted()) {
    const ManagedRun managed(flags, kTrials, keys);
    const auto journal = managed.run / "trials.jsonl";
    gpqa_test::Result result;
    do {
      const pid_t running = managed.gpqa.start("run --plan p.toml");
      while (!has_ended(running) && killings.kills < kills_wanted()) {
        // More than three in a row without an answer between them would be a server to give up.
        await_answer(journal, contents(journal).size(), running);
        pause(random);
        for (const pid_t server : managed.servers()) {
          kill(server, SIGKILL);
          count_kill(lines_of(journal), killings);
        }
      }
      result = managed.gpqa.wait(running);
      INFO(result.err);
      // One that was killed before the first question is told; the same command starts again.
      REQUIRE((result.code == 0 || managed.servers().empty()));
    } while (result.code != 0);
    CHECK(canonical_records(managed.run) == expected);
    CHECK(managed.gpqa("doctor runs/p/a").code == 0);
    CHECK(managed.servers().empty());
  }
  check_spread(killings, "servers killed");
}
