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
#include "tests/harness/run_line.h"
#include "tests/harness/shell.h"
#include "tests/support/fixed_answer_server.h"

using namespace gpqa;
using gpqa::test::FixedAnswerOptions;
using gpqa::test::FixedAnswerServer;
using gpqa_test::contents;
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

// Runs `line` again and again, ended by `signal` at random moments, until it is done.
void disturb(const Shell& gpqa, const std::string& line, int signal, std::mt19937& random,
             Killings& killings) {
  constexpr std::size_t kTrials = 198;
  const auto journal = gpqa.folder.path() / "runs/a/a/trials.jsonl";
  while (true) {
    const pid_t running = gpqa.start(line);
    // Most of them after an answer has come, the others at any time from the start on.
    if (random() % 8 != 0) {
      const auto before = contents(journal).size();
      for (int i = 0; i < 20'000 && contents(journal).size() == before && !has_ended(running); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 250'000));
    if (killings.kills < kills_wanted()) kill(running, signal);
    const auto result = gpqa.wait(running);
    if (result.code == 0) return;
    REQUIRE(result.code == 128 + signal);
    ++killings.kills;
    const auto text = contents(journal);
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    if (lines * 100 >= kTrials && lines * 100 <= kTrials * 99) ++killings.inside;
  }
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
  REQUIRE(expected.size() == 198);
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
  WARN(killings.kills << " ends by signal " << signal << ", " << killings.inside
                      << " between 1% and 99% of the run");
  CHECK(killings.inside * 4 >= killings.kills * 3);
}

}  // namespace

TEST_CASE("kill -9 at random moments: each trial once, and nothing else than in an undisturbed run") {
  check_disturbed(SIGKILL);
}

TEST_CASE("Ctrl-C at random moments: each trial once, and nothing else than in an undisturbed run") {
  check_disturbed(SIGINT);
}
