// What must stay secret does, and what servers and models say is only text.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/harness/managed_run.h"
#include "tests/harness/run_line.h"
#include "tests/harness/shell.h"
#include "tests/harness/variable.h"
#include "tests/support/fixed_answer_server.h"
#include "tests/within.h"

using Catch::Matchers::Contains;
using gpqa::test::FixedAnswerOptions;
using gpqa::test::FixedAnswerServer;
using gpqa_test::contents;
using gpqa_test::ManagedRun;
using gpqa_test::run_line;
using gpqa_test::Shell;
using gpqa_test::Variable;

namespace {

namespace fs = std::filesystem;

const std::string kKey = "sk-local-5f1e7d3a90";

// Files under `folder`, standard output and error among them, that hold the key.
std::vector<std::string> files_with_key(const fs::path& folder) {
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && contents(entry.path()).find(kKey) != std::string::npos)
      found.push_back(entry.path().string());
  return found;
}

// Processes that show the key to everybody.
std::vector<std::string> processes_with_key() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto line = contents(entry.path() / "cmdline");
    if (line.find(kKey) != std::string::npos) found.push_back(line);
  }
  return found;
}

std::string with_escapes(const std::string& text) {
  return "\x1b]0;owned\x07\x1b[31m" + text + "\u202e|<script>\u009b";
}

// Nothing but line breaks and text: no escape, no C1 control, nothing that turns the direction of writing.
bool is_plain(const std::string& text) {
  const bool controls = std::any_of(text.begin(), text.end(), [](unsigned char c) {
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
  });
  return !controls && text.find("\u202e") == std::string::npos && text.find("\u009b") == std::string::npos;
}

}  // namespace

TEST_CASE("the key of a server is in no file, no output and no process list, though the server repeats it") {
  const Variable key("GPQA_TEST_KEY", kKey.c_str());
  FixedAnswerOptions options;
  options.api_key = kKey;
  options.model.id = "model of " + kKey;
  options.model.build = "b1-" + kKey;
  const FixedAnswerServer server(options);
  const Shell gpqa;
  const auto result = gpqa(run_line(server, "--name a --limit 5 --api-key-env GPQA_TEST_KEY"));
  INFO(result.out << result.err);
  REQUIRE(result.code == 0);
  CHECK(files_with_key(gpqa.folder.path()).empty());
  CHECK_THAT(contents(gpqa.folder.path() / "runs/a/a/run.json"), Contains("[API key]"));
}

TEST_CASE("a wrong key is refused in words that don't hold it") {
  const Variable key("GPQA_TEST_KEY", kKey.c_str());
  FixedAnswerOptions options;
  options.api_key = "another";
  const FixedAnswerServer server(options);
  const Shell gpqa;
  const auto result = gpqa(run_line(server, "--name a --limit 5 --api-key-env GPQA_TEST_KEY"));
  INFO(result.err);
  CHECK(result.code == 3);
  CHECK_THAT(result.err, Contains("refuses the key that was sent") && Contains("--api-key-env"));
  CHECK(files_with_key(gpqa.folder.path()).empty());
}

TEST_CASE("a server of our own is given the key where nobody else can read it") {
  const Variable key("GPQA_TEST_KEY", kKey.c_str());
  const ManagedRun managed(", \"--deltas\", \"40\", \"--delay-ms\", \"2\"", 20,
                           "api_key_env = \"GPQA_TEST_KEY\"\n");
  const pid_t running = managed.gpqa.start("run --plan p.toml");
  REQUIRE(gpqa_test::within(60, [&] { return managed.lines() >= 3; }));
  CHECK(managed.servers().size() == 1);
  CHECK(processes_with_key().empty());
  const auto result = managed.gpqa.wait(running);
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(files_with_key(managed.gpqa.folder.path()).empty());
  // The server does want it.
  const ManagedRun without(", \"--deltas\", \"40\"", 2);
  const Variable servers_own("LLAMA_API_KEY", kKey.c_str());
  CHECK(without.gpqa("run --plan p.toml").code == 3);
}

TEST_CASE("what servers and models write acts on no terminal and breaks out of no table") {
  FixedAnswerOptions options;
  options.model.id = with_escapes("model");
  options.model.path = "/models/" + with_escapes("m") + ".gguf";
  options.model.build = with_escapes("b1");
  options.model.ftype = with_escapes("Q6_K");
  const Shell gpqa;
  // The answers, by the prompts that will be asked.
  std::string answers;
  const auto prompts = gpqa("prompts --dataset " + gpqa::shell_quote(gpqa_test::kSyntheticCsv));
  REQUIRE(prompts.code == 0);
  for (std::size_t start = 0; start < prompts.out.size(); start = prompts.out.find('\n', start) + 1) {
    const auto line = nlohmann::json::parse(prompts.out.substr(start, prompts.out.find('\n', start) - start));
    answers += nlohmann::json({{"prompt", line.at("prompt")},
                               {"reasoning", with_escapes("thought")},
                               {"content", with_escapes("The answer is (A)")}})
                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
               "\n";
  }
  options.answers = gpqa.write("answers.jsonl", answers);
  const FixedAnswerServer server(options);
  const auto run = gpqa(run_line(server, "--name a --limit 5"));
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK(is_plain(run.out));
  CHECK(is_plain(run.err));
  // It did come through: the transcript holds it.
  CHECK_THAT(contents(gpqa.folder.path() / "runs/a/a/transcripts.jsonl"), Contains("owned"));
  for (const char* line : {"compare runs/a", "compare runs/a --format json", "show runs/a/a",
                           "show runs/a/a 0", "doctor runs/a/a"}) {
    const auto shown = gpqa(line);
    INFO(line << "\n" << shown.out << shown.err);
    CHECK(shown.code == 0);
    CHECK(is_plain(shown.out + shown.err));
  }
  const auto table = gpqa("compare runs/a").out;
  CHECK(table.find("<script>") == std::string::npos);
}

TEST_CASE("no name in a plan leads out of the folder of runs") {
  const Shell gpqa;
  for (const char* name : {"../out", "/tmp/out", "a/../../out", "..", ".", "a/b", "a\\nb", ""}) {
    gpqa.write("p.toml", "dataset = \"" + gpqa_test::kSyntheticCsv + "\"\n[[variant]]\nname = \"" + name +
                             "\"\nserver = { url = \"http://127.0.0.1:9\" }\n");
    const auto result = gpqa("run --plan p.toml");
    INFO(name << ": " << result.err);
    CHECK(result.code == 2);
    CHECK(!fs::exists(gpqa.folder.path() / "runs"));
    CHECK(!fs::exists(gpqa.folder.path() / "out"));
  }
}
