// `gpqa run` against a server that speaks llama-server's HTTP.
#include <chrono>
#include <csignal>
#include <set>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "results/run_files.h"
#include "tests/catch.h"
#include "tests/harness/run_line.h"
#include "tests/harness/scripted_run.h"
#include "tests/harness/shell.h"
#include "tests/support/fixed_answer_server.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa::test::FixedAnswerOptions;
using gpqa::test::FixedAnswerServer;
using gpqa_test::kSyntheticCsv;
using gpqa_test::run_line;
using gpqa_test::Shell;

namespace {

std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  const auto start = text.rfind('\n', end);
  return text.substr(start + 1, end - start);
}

}  // namespace

TEST_CASE("a run ends with the command that shows its table, and that command works") {
  const FixedAnswerServer server({});
  const Shell gpqa;
  const auto result = gpqa(run_line(server, "--name '98e v3' --experts 98 --limit 12 --repeats 2"));
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.out, Contains("max_tokens 12288: the card names none") && Contains("24 of 24 done"));
  CHECK(last_line(result.out) == "gpqa compare 'runs/98e v3'");
  const auto table = gpqa(last_line(result.out).substr(5));
  CHECK(table.code == 0);
  CHECK_THAT(table.out, Contains("98e v3") && Contains("98 |"));
  const auto kept = read_run(gpqa.folder.path() / "runs/98e v3/98e v3");
  CHECK(kept.trials.size() == 24);
  CHECK(kept.manifest.runner.build == "b11434-fixed");
  CHECK(kept.manifest.trials.version == TaskVersion::v1_0);
  for (const auto& record : kept.trials) CHECK(record.sampling_mismatch.empty());
}

TEST_CASE("the same command asks nothing again, and another one names the field that differs") {
  const FixedAnswerServer server({});
  const Shell gpqa;
  REQUIRE(gpqa(run_line(server, "--name a --limit 5")).code == 0);
  const auto answered = server.answered();
  const auto again = gpqa(run_line(server, "--name a --limit 5"));
  CHECK(again.code == 0);
  CHECK_THAT(again.out, Contains("nothing to ask") && Contains("b11434-fixed"));
  CHECK(server.answered() == answered);
  const auto other = gpqa(run_line(server, "--name a --limit 5 --set temp=0.7"));
  CHECK(other.code == 2);
  CHECK_THAT(other.err, Contains("sampling.temperature: 1.0 there, 0.7 now"));
  CHECK(server.answered() == answered);
}

TEST_CASE("an interrupted run exits with 130, loses nothing, and the same command asks only the rest") {
  FixedAnswerOptions slow;
  slow.delay_ms = 3;
  slow.deltas = 60;
  const FixedAnswerServer server(slow);
  const Shell gpqa;
  const auto line = run_line(server, "--name a --limit 30");
  const auto journal = gpqa.folder.path() / "runs/a/a/trials.jsonl";
  const pid_t running = gpqa.start(line);
  for (int i = 0; i < 1200 && gpqa_test::contents(journal).empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(running, SIGINT);
  const auto interrupted = gpqa.wait(running);
  INFO(interrupted.out << interrupted.err);
  REQUIRE(interrupted.code == 130);
  CHECK_THAT(interrupted.out, Contains("the same command goes on"));
  const auto kept = read_run(gpqa.folder.path() / "runs/a/a").trials.size();
  CHECK(kept > 0);
  CHECK(kept < 30);

  const auto rest = gpqa(line);
  CHECK(rest.code == 0);
  CHECK_THAT(rest.out, Contains(std::to_string(30 - kept) + " to ask, " + std::to_string(kept) + " kept"));
  CHECK_THAT(rest.out, Contains("from the " + std::to_string(kept) + " answers it has"));
  CHECK(read_run(gpqa.folder.path() / "runs/a/a").trials.size() == 30);
}

TEST_CASE("a question that failed exits with 4, is shown as failed, and is asked again by the same command") {
  const Shell gpqa;
  const auto prompts =
      gpqa("prompts --task-version 1.0 --limit 4 --dataset " + shell_quote(kSyntheticCsv)).out;
  const auto last = nlohmann::json::parse(last_line(prompts)).at("prompt").get<std::string>();
  const std::string more = "--name a --limit 4 --concurrency 2 --context-pool 65536 --set max_tokens=300";
  {
    FixedAnswerOptions endless;
    endless.model.slots = 2;
    endless.endless_on = last;
    const FixedAnswerServer server(endless);
    const auto result = gpqa(run_line(server, more));
    INFO(result.out << result.err);
    CHECK(result.code == 4);
    CHECK_THAT(result.err, Contains("question 3 failed") && Contains("past max_tokens"));
    CHECK_THAT(result.out + result.err, Contains("failed 1"));
    CHECK_THAT(gpqa("compare runs/a").out, Contains("1 failed"));
    CHECK(read_run(gpqa.folder.path() / "runs/a/a").trials.size() == 4);
  }
  FixedAnswerOptions well;
  well.model.slots = 2;
  const FixedAnswerServer server(well);
  const auto again = gpqa(run_line(server, more));
  INFO(again.out << again.err);
  CHECK(again.code == 0);
  CHECK(server.answered() >= 1);
  const auto kept = read_run(gpqa.folder.path() / "runs/a/a");
  REQUIRE(kept.trials.size() == 4);
  for (const auto& record : kept.trials) CHECK(record.outcome != Outcome::failed);
}

TEST_CASE("what the audit refuses exits with 3, says every reason, and keeps no run") {
  FixedAnswerOptions small;
  small.model.gemma4 = false;
  small.model.thinks = false;
  small.model.n_ctx = 4096;
  const FixedAnswerServer server(small);
  const Shell gpqa;
  const auto result = gpqa(run_line(server, "--name a"));
  CHECK(result.code == 3);
  CHECK_THAT(result.err, Contains("thinking = \"absent\"") && Contains("-c "));
  CHECK_FALSE(std::filesystem::exists(gpqa.folder.path() / "runs/a/a/run.json"));
}

TEST_CASE("a plan runs its variants one after the other, or the one that is picked") {
  const FixedAnswerServer server({});
  const Shell gpqa;
  const auto variant = [&](const std::string& name, const std::string& more) {
    return "[[variant]]\nname = \"" + name + "\"\nserver = { url = \"" + server.url() + "\" }\n" + more;
  };
  gpqa.write("two.toml", "dataset = \"" + kSyntheticCsv +
                             "\"\ntask = { limit = 6 }\n[sampling]\nmin_p = 0\n" +
                             variant("128e", "experts = 128\nreference = true\n") +
                             variant("98e", "experts = 98\nmap = { calibrated_on = \"GPQA\" }\n"));
  const auto one = gpqa("run --plan two.toml --variant 98e");
  INFO(one.out << one.err);
  REQUIRE(one.code == 0);
  CHECK_FALSE(std::filesystem::exists(gpqa.folder.path() / "runs/two/128e"));
  const auto both = gpqa("run --plan two.toml");
  CHECK(both.code == 0);
  CHECK(last_line(both.out) == "gpqa compare runs/two");
  const auto kept = read_run(gpqa.folder.path() / "runs/two/98e");
  CHECK(kept.manifest.sampling.min_p == 0.0);
  CHECK(kept.manifest.calibrated_on == "GPQA");
  const auto table = gpqa("compare runs/two --format csv");
  CHECK(table.code == 0);
  CHECK(table.out.find("128e") < table.out.find("98e,"));
  CHECK(gpqa("run --plan two.toml --name x").code == 2);
  CHECK(gpqa("run --plan two.toml --out runs/two/98e").code == 2);
}

TEST_CASE("a contaminated map is marked in the table of every run that names it") {
  const FixedAnswerServer server({});
  const Shell gpqa;
  const auto variant = [&](const std::string& name, const std::string& more) {
    return "[[variant]]\nname = \"" + name + "\"\nserver = { url = \"" + server.url() + "\" }\n" + more;
  };
  const std::string map = GPQA_TEST_DATA "/experts/teacher_force_98e_p16_clean.json";
  gpqa.write("two.toml", "dataset = \"" + kSyntheticCsv + "\"\ntask = { limit = 6 }\n" +
                             variant("128e", "experts = 128\nreference = true\n") +
                             variant("98e", "map = { file = \"" + map + "\" }\n"));
  const auto result = gpqa("run --plan two.toml");
  INFO(result.err);
  REQUIRE(result.code == 0);
  const auto manifest = read_run(gpqa.folder.path() / "runs/two/98e").manifest;
  CHECK(manifest.on_evaluated_questions);
  CHECK(manifest.experts == 98);
  CHECK(manifest.map_sha256.size() == 64);
  CHECK(manifest.map_drops.size() == 30);
  CHECK_THAT(gpqa("compare runs/two").out,
             Contains("98e (contaminated)") && Contains("evaluated GPQA questions"));
  // The same command goes on with it.
  CHECK(gpqa("run --plan two.toml").code == 0);
}

TEST_CASE("a server that samples otherwise than asked is found out") {
  FixedAnswerOptions forced;
  forced.forced["min_p"] = 0.2;
  const FixedAnswerServer server(forced);
  const Shell gpqa;
  const auto result = gpqa(run_line(server, "--name a --limit 3"));
  INFO(result.out << result.err);
  CHECK_THAT(result.out + result.err, Contains("min_p"));
}

TEST_CASE("a server's upgrade in the middle of a run is refused, or taken over and shown") {
  const Shell gpqa;
  const auto folder = gpqa.folder.path() / "runs/a/a";
  {
    const FixedAnswerServer server({});
    REQUIRE(gpqa(run_line(server, "--name a --limit 5")).code == 0);
  }
  const auto lines = gpqa_test::contents(folder / "trials.jsonl");
  gpqa.write("runs/a/a/trials.jsonl", lines.substr(0, lines.find('\n', lines.find('\n') + 1) + 1));

  FixedAnswerOptions upgraded;
  upgraded.model.build = "b99999";
  const FixedAnswerServer server(upgraded);
  const auto refused = gpqa(run_line(server, "--name a --limit 5"));
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err,
             Contains("runner.build: stored 'b11434-fixed', now 'b99999'") && Contains("--accept-change"));
  CHECK(gpqa(run_line(server, "--name a --limit 5 --accept-change sampling.min_p")).code == 2);
  CHECK(read_run(folder).trials.size() == 2);
  const auto accepted = gpqa(run_line(server, "--name a --limit 5 --accept-change runner.build"));
  INFO(accepted.err);
  CHECK(accepted.code == 0);
  CHECK(read_run(folder).trials.size() == 5);
  CHECK_THAT(gpqa("compare runs/a").out, Contains("after 2 trials: accepted: runner.build"));
}

TEST_CASE("servers of one model share a run, and one of another is refused") {
  FixedAnswerOptions options;
  options.delay_ms = 1;
  const FixedAnswerServer first(options);
  const FixedAnswerServer second(options);
  options.model.build = "b99999";
  const FixedAnswerServer other(options);
  const Shell gpqa;
  const auto both = gpqa("run --dataset " + shell_quote(kSyntheticCsv) + " --server " + first.url() + "," +
                         second.url() + " --name a --limit 30");
  INFO(both.out << both.err);
  REQUIRE(both.code == 0);
  const auto kept = read_run(gpqa.folder.path() / "runs/a/a");
  CHECK(kept.manifest.runner.concurrency == 2);
  CHECK(kept.manifest.runner.url == first.url() + "," + second.url());
  std::set<std::string> who;
  for (const auto& record : kept.trials) who.insert(record.server_id);
  CHECK(who == std::set<std::string>{first.url(), second.url()});

  const auto refused = gpqa("run --dataset " + shell_quote(kSyntheticCsv) + " --server " + first.url() + "," +
                            other.url() + " --name b --limit 3");
  CHECK(refused.code == 3);
  CHECK_THAT(refused.err, Contains("would not answer alike") && Contains("runner.build"));
}
