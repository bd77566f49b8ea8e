// `gpqa run` with a model that answers inside the program.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "results/run_files.h"
#include "tests/catch.h"
#include "tests/harness/scripted_run.h"
#include "tests/harness/shell.h"
#include "tests/within.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::kSyntheticCsv;
using gpqa_test::Shell;

namespace {

const std::string kTiny = GPQA_TEST_DATA "/gemma4/tiny-q4_k_m.gguf";

std::string run_line(const std::string& more) {
  return "run --dataset " + shell_quote(kSyntheticCsv) + " --model " + shell_quote(kTiny) +
         " --name a --set max_tokens=40 --set reasoning_budget_tokens=12 " + more;
}

std::vector<nlohmann::ordered_json> canonical_records(const Shell& gpqa) {
  std::vector<nlohmann::ordered_json> all;
  for (const auto& record : read_run(gpqa.folder.path() / "runs/a/a").trials)
    all.push_back(canonical(record));
  return all;
}

}  // namespace

TEST_CASE("a model inside the program answers a run, and the table shows it") {
  const Shell gpqa;
  const auto result = gpqa(run_line("--limit 6"));
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK_THAT(result.out,
             Contains("engine    gpqa") && Contains("cpu, 8-bit inputs") && Contains("6 of 6 done"));
  CHECK_THAT(result.err, Contains("loading: weights"));
  const auto kept = read_run(gpqa.folder.path() / "runs/a/a");
  REQUIRE(kept.trials.size() == 6);
  CHECK(kept.manifest.runner.kind == "embedded");
  CHECK(kept.manifest.runner.chat_template_name == "gemma-4");
  CHECK(kept.manifest.runner.slots == 4);
  for (const auto& record : kept.trials) {
    const auto transcript = read_transcript(kept, record);
    CHECK(transcript.raw.has_value());
    const auto used = nlohmann::json::parse(transcript.sampled_with);
    CHECK(used.at("seed") == record.seed);
    CHECK(used.at("reasoning_budget_tokens") == 12);
  }
  CHECK(gpqa("compare runs/a").code == 0);
  CHECK_THAT(gpqa(run_line("--limit 6")).out, Contains("nothing to ask"));
  const auto shown = gpqa("model kld " + kTiny + " " + kTiny + " --run runs/a --format json");
  INFO(shown.err);
  CHECK(nlohmann::json::parse(shown.out).at("kl").at("mean") == 0);
}

TEST_CASE("slots, threads, Ctrl-C and kill -9 change nothing in what is answered") {
  const Shell calm;
  REQUIRE(calm(run_line("--limit 10 --slots 1 --threads 1")).code == 0);
  const auto expected = canonical_records(calm);
  for (const auto& [signal, code] : {std::pair(SIGINT, 130), std::pair(SIGKILL, 128 + SIGKILL)}) {
    const Shell disturbed;
    const auto line = run_line("--limit 10 --slots 3 --threads 2");
    const pid_t running = disturbed.start(line);
    REQUIRE(gpqa_test::within(
        60, [&] { return contents(disturbed.folder.path() / "runs/a/a/trials.jsonl").size() > 1000; }));
    kill(running, signal);
    const auto ended = disturbed.wait(running);
    INFO(ended.err);
    REQUIRE((ended.code == code || ended.code == 0));               // it may have been done
    const auto rest = disturbed(run_line("--limit 10 --slots 5"));  // other slots are no other run
    INFO(rest.out << rest.err);
    REQUIRE(rest.code == 0);
    CHECK(canonical_records(disturbed) == expected);
    CHECK(disturbed("doctor runs/a/a").code == 0);
  }
}

TEST_CASE("another arithmetic or another file is another run") {
  const Shell gpqa;
  REQUIRE(gpqa(run_line("--limit 3")).code == 0);
  const auto journal = gpqa.folder.path() / "runs/a/a/trials.jsonl";
  const auto whole = contents(journal);
  const auto refused = [&](const std::string& line, const std::string& words) {
    const auto result = gpqa(line);
    INFO(result.out << result.err);
    CHECK(result.code == 2);
    CHECK_THAT(result.err, Contains("these fields differ") && Contains(words));
  };
  auto other = run_line("--limit 3");
  other.replace(other.find("q4_k_m"), 6, "q8_0");
  const auto served = "run --dataset " + shell_quote(kSyntheticCsv) +
                      " --server http://127.0.0.1:9 --name a --limit 3 --set max_tokens=40 --set "
                      "reasoning_budget_tokens=12";
  // It is complete, so nothing is loaded or asked to find out, but what can be seen is.
  CHECK_THAT(gpqa(run_line("--limit 3 --arithmetic float32")).out, Contains("nothing to ask"));
  refused(other, "runner.model_bytes: 2644248 there");
  refused(served, "runner.kind: embedded there, llama-server now");
  CHECK(contents(journal) == whole);
  // It isn't.
  const auto half = whole.substr(0, whole.find('\n') + 1);
  gpqa.write("runs/a/a/trials.jsonl", half);
  refused(run_line("--limit 3 --arithmetic float32"), "float32");
  refused(other, "runner.model_bytes");
  CHECK(contents(journal) == half);
  CHECK(gpqa(run_line("--limit 3")).code == 0);
  CHECK(contents(journal).starts_with(half));
}

TEST_CASE("an engine's table in a plan, and what can't be in it") {
  const Shell gpqa;
  const auto plan = [&](const std::string& text) {
    gpqa.write("p.toml", "dataset = \"" + kSyntheticCsv + "\"\ntask = { limit = 2 }\n" + text);
    return gpqa("run --plan p.toml");
  };
  const std::string variant = "[[variant]]\nname = \"a\"\nmodel = \"" + kTiny + "\"\n";
  const std::string small = "[sampling]\nmax_tokens = 30\nreasoning_budget_tokens = 10\n";
  const auto result = plan(small + "[engine]\nslots = 2\nthreads = 1\narithmetic = \"float32\"\n" + variant);
  INFO(result.out << result.err);
  CHECK(result.code == 0);
  CHECK_THAT(result.out, Contains("cpu, float32") && Contains("slots     2 of"));
  CHECK_THAT(plan(small + "[engine]\nslots = 0\n" + variant).err, Contains("p.toml:7:"));
  CHECK_THAT(plan(small + "[engine]\narithmetic = \"fast\"\n" + variant).err,
             Contains("expected int8 or float32"));
  CHECK_THAT(plan(small + "[engine]\nslts = 2\n" + variant).err, Contains("slots"));
  CHECK_THAT(
      plan(small + variant + "server = { url = \"http://127.0.0.1:9\" }\nengine = { slots = 2 }\n").err,
      Contains("a server answers for this variant"));
  CHECK_THAT(plan("[[variant]]\nname = \"a\"\n").err, Contains("neither a server nor a model"));
}

TEST_CASE("a model that can't answer is refused before a question is asked") {
  const Shell gpqa;
  const auto small = gpqa(run_line("--limit 2 --context 100"));
  CHECK(small.code == 3);
  CHECK_THAT(small.err, Contains("a slot holds 100 tokens"));
  CHECK_THAT(gpqa("run --dataset " + shell_quote(kSyntheticCsv) + " --model none.gguf").err,
             Contains("no such file"));
  CHECK_THAT(
      gpqa("run --dataset " + shell_quote(kSyntheticCsv) + " --model " + shell_quote(kSyntheticCsv)).err,
      Contains("GGUF"));
  const auto huge = gpqa(run_line("--limit 2 --slots 4000 --context 2000000000"));
  CHECK(huge.code == 2);
  CHECK_THAT(huge.err, Contains("doesn't fit into memory"));
}
