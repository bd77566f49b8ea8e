// `gpqa run` with a server that it starts itself.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "results/run_files.h"
#include "tests/catch.h"
#include "tests/harness/managed_run.h"
#include "tests/within.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::ManagedRun;
using gpqa_test::within;

namespace {

namespace fs = std::filesystem;

const std::string kSlow = ", \"--deltas\", \"60\", \"--delay-ms\", \"2\"";

}  // namespace

TEST_CASE("a server is started with the variant's model, audited, and gone when the run is done") {
  const ManagedRun managed;
  const auto result = managed.gpqa("run --plan p.toml");
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK(managed.servers().empty());
  const auto kept = read_run(managed.run);
  CHECK(kept.trials.size() == 40);
  CHECK(kept.manifest.runner.model_path == managed.model);
  CHECK(kept.manifest.history.empty());
  CHECK(fs::exists(managed.run / "server.log"));
  // Complete: no server is started again.
  CHECK_THAT(managed.gpqa("run --plan p.toml").err, !Contains("started"));
}

TEST_CASE("a server that dies in the middle is started again, and the run is as if it hadn't") {
  const ManagedRun disturbed(kSlow);  // 40 answers in some 5 s
  const ManagedRun calm(kSlow);
  REQUIRE(calm.gpqa("run --plan p.toml").code == 0);
  const pid_t running = disturbed.gpqa.start("run --plan p.toml");
  for (const std::size_t after : {5U, 20U}) {
    REQUIRE(within(60, [&] { return disturbed.lines() >= after; }));
    REQUIRE(within(10, [&] { return disturbed.servers().size() == 1; }));
    kill(disturbed.servers().at(0), SIGKILL);
  }
  const auto result = disturbed.gpqa.wait(running);
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  const auto kept = read_run(disturbed.run);
  const auto expected = read_run(calm.run);
  REQUIRE(kept.trials.size() == 40);
  std::uint32_t retries = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    CHECK(canonical(kept.trials[i]) == canonical(expected.trials[i]));
    retries += kept.trials[i].retries;
  }
  CHECK(retries >= 1);
  std::string history;
  for (const auto& event : kept.manifest.history) {
    CHECK(event.at_trials >= 5);
    history += event.what + "\n";
  }
  CHECK_THAT(history, Contains("was killed by signal 9 and was started again; asked then:"));
  CHECK_THAT(result.err, Contains("started again"));
  CHECK_THAT(disturbed.gpqa("compare runs/p").out, Contains("was started again"));
  CHECK(disturbed.servers().empty());
}

TEST_CASE("no way out leaves the server behind") {
  SECTION("kill -9") {
    const ManagedRun managed(kSlow, 15);
    const pid_t running = managed.gpqa.start("run --plan p.toml");
    REQUIRE(within(60, [&] { return managed.lines() >= 1; }));
    CHECK(managed.servers().size() == 1);
    kill(running, SIGKILL);
    managed.gpqa.wait(running);
    CHECK(within(5, [&] { return managed.servers().empty(); }));
    const auto result = managed.gpqa("run --plan p.toml");  // the folder isn't locked any more
    CHECK(result.code == 0);
  }
  SECTION("Ctrl-C in the run") {
    const ManagedRun managed(kSlow, 15);
    const pid_t running = managed.gpqa.start("run --plan p.toml");
    REQUIRE(within(60, [&] { return managed.lines() >= 1; }));
    kill(running, SIGINT);
    CHECK(managed.gpqa.wait(running).code == 130);
    CHECK(managed.servers().empty());
  }
  SECTION("Ctrl-C while it loads") {
    const ManagedRun managed(", \"--loading-ms\", \"60000\"");
    const pid_t running = managed.gpqa.start("run --plan p.toml");
    REQUIRE(within(20, [&] { return !managed.servers().empty(); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    kill(running, SIGINT);
    const auto result = managed.gpqa.wait(running);
    CHECK(result.code == 130);
    CHECK_THAT(result.err, Contains("before the first question"));
    CHECK(managed.servers().empty());
  }
  SECTION("a second Ctrl-C, which waits for nothing") {
    const ManagedRun managed(", \"--loading-ms\", \"60000\"");
    const pid_t running = managed.gpqa.start("run --plan p.toml");
    REQUIRE(within(20, [&] { return !managed.servers().empty(); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    kill(running, SIGINT);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    kill(running, SIGINT);
    CHECK(managed.gpqa.wait(running).code == 130);
    CHECK(within(5, [&] { return managed.servers().empty(); }));
  }
  SECTION("refused by the audit") {
    const ManagedRun managed(", \"--ctx\", \"4096\"");
    const auto result = managed.gpqa("run --plan p.toml");
    CHECK(result.code == 3);
    CHECK(managed.servers().empty());
  }
}

TEST_CASE("a server that can't start is told with its last words") {
  const ManagedRun managed(", \"--no-such-flag\"");
  const auto result = managed.gpqa("run --plan p.toml");
  INFO(result.err);
  CHECK(result.code == 2);
  CHECK_THAT(result.err,
             Contains("ended with exit code") && Contains("--no-such-flag") && Contains("server.log"));
  managed.gpqa.write("q.toml",
                     "dataset = \"" + gpqa_test::kSyntheticCsv +
                         "\"\n[[variant]]\nname = \"a\"\nserver = { command = \"no-llama-server\", model = "
                         "\"model.gguf\" }\n");
  CHECK_THAT(managed.gpqa("run --plan q.toml").err, Contains("not found in PATH"));
}
