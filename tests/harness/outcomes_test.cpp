// Every row of docs/outcomes.md, played by a hostile server: alone, and mixed at random over a whole run.
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/evaluate.h"
#include "prompts/dataset.h"
#include "results/compare.h"
#include "results/markdown.h"
#include "results/run_files.h"
#include "results/run_journal.h"
#include "results/summary.h"
#include "runners/remote/llama_server_runner.h"
#include "runners/runner_errors.h"
#include "tests/catch.h"
#include "tests/runners/remote/fault_server.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using gpqa_test::Connection;
using gpqa_test::error_page;
using gpqa_test::event;
using gpqa_test::FaultServer;
using gpqa_test::llama_error;
using gpqa_test::stream_head;

namespace {

constexpr std::int64_t kBudget = 16;
constexpr std::int64_t kMaxTokens = 40;
constexpr std::int64_t kSlotContext = 4096;

// GPQA_SEEDS: how many mixtures; scripts/test.sh --all asks for more.
std::uint32_t seeds_wanted() {
  const char* text = std::getenv("GPQA_SEEDS");
  return text == nullptr ? 3 : static_cast<std::uint32_t>(std::atoi(text));
}

// A chunk of the answer, with how many tokens there are up to its end.
std::string chunk(const char* part, const std::string& text, int tokens) {
  return event(R"({"choices":[{"delta":{")" + std::string(part) + R"(":)" + nlohmann::json(text).dump() +
               R"(},"finish_reason":null}],"timings":{"predicted_n":)" + std::to_string(tokens) + "}}");
}
std::string ending(const std::string& finish, int tokens, bool truncated = false) {
  return event(R"({"choices":[{"delta":{},"finish_reason":")" + finish + R"("}],"timings":{"predicted_n":)" +
               std::to_string(tokens) + R"(},"__verbose":{"truncated":)" + (truncated ? "true" : "false") +
               "}}") +
         event(R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":)" + std::to_string(tokens) +
               "}}") +
         "data: [DONE]\n\n";
}

// A whole answer that names the gold letter.
std::string right_answer(const std::string& gold) {
  return stream_head() + chunk("reasoning_content", "Let me think.", 5) +
         chunk("content", "The answer is " + gold + ".", 12) + ending("stop", 13);
}

enum class Verdict { right, invalid };

struct Row {
  std::string name;  // as in docs/outcomes.md
  Outcome outcome;
  std::uint32_t retries;
  Verdict verdict;
  // Answers the n-th attempt (from 0) at a question whose gold is e.g. "(B)".
  std::function<void(int n, const std::string& gold, const Connection&)> play;
};

Row result(std::string name, Outcome outcome, Verdict verdict,
           std::function<std::string(const std::string&)> bytes) {
  return {std::move(name), outcome, 0, verdict,
          [bytes = std::move(bytes)](int, const std::string& gold, const Connection& client) {
            client.send(bytes(gold));
          }};
}

// Twice the fault, then a whole answer.
Row fault(std::string name, std::function<void(const Connection&)> bad, int times = 2) {
  return {std::move(name), Outcome::stop, static_cast<std::uint32_t>(times), Verdict::right,
          [bad = std::move(bad), times](int n, const std::string& gold, const Connection& client) {
            if (n < times)
              bad(client);
            else
              client.send(right_answer(gold));
          }};
}

std::function<void(const Connection&)> page(int status, const std::string& body,
                                            const std::string& headers = "") {
  return [=](const Connection& client) { client.send(error_page(status, body, headers)); };
}
std::function<void(const Connection&)> broken_stream(const std::string& bytes, bool reset = false) {
  return [=](const Connection& client) {
    client.send(stream_head() + chunk("content", "The answer", 3) + bytes);
    if (reset) client.reset();
  };
}

const std::string kPool = "Context size has been exceeded.";
const std::string kUnparsable =
    "The model produced output that does not match the expected peg-gemma4 format";

// Played only where a request runs alone, or where others run beside it.
const std::string kAlone = "\"Context size has been exceeded\" to a request that runs alone";
const std::string kSilence = "silence longer than the time-out";
const std::string kShared = "\"Context size has been exceeded\" to requests that share a pool";
const std::string kSharedInStream = "the same as an event in the stream of such requests";

const std::vector<Row>& rows() {
  using std::string;
  static const std::vector<Row> all = {
      result("a whole answer", Outcome::stop, Verdict::right, right_answer),
      result("a whole answer that names no choice", Outcome::stop, Verdict::invalid,
             [](const string&) { return stream_head() + chunk("content", "?!", 5) + ending("stop", 6); }),
      result("finish length inside the reasoning", Outcome::cut_in_reasoning, Verdict::invalid,
             [](const string&) {
               return stream_head() + chunk("reasoning_content", "So (A) or (B)", 40) + ending("length", 40);
             }),
      result("finish length inside the answer, the choice is named", Outcome::cut_in_answer, Verdict::right,
             [](const string& gold) {
               return stream_head() + chunk("reasoning_content", "Hm", 5) +
                      chunk("content", "The answer is " + gold + ".\n", 12) + chunk("content", "And", 40) +
                      ending("length", 40);
             }),
      result("finish length, the budget was spent and the answer took all the rest", Outcome::rumination,
             Verdict::invalid,
             [](const string&) {
               return stream_head() + chunk("reasoning_content", "Hm hm", 19) + chunk("content", "?", 20) +
                      chunk("content", "?", 40) + ending("length", 40);
             }),
      result(
          "finish length with `truncated`, short of max_tokens", Outcome::context_full, Verdict::invalid,
          [](const string&) { return stream_head() + chunk("content", "?", 9) + ending("length", 9, true); }),
      result(kAlone, Outcome::context_full, Verdict::invalid,
             [](const string&) {
               return stream_head() + chunk("content", "?", 9) + event(llama_error(500, kPool));
             }),
      result("500 \"does not match the expected peg-... format\"", Outcome::lost_parse, Verdict::invalid,
             [](const string&) { return error_page(500, llama_error(500, kUnparsable)); }),
      result("the same as an event in the stream", Outcome::lost_parse, Verdict::invalid,
             [](const string&) {
               return stream_head() + chunk("content", "?", 3) + event(llama_error(500, kUnparsable));
             }),
      result("content null, finish stop", Outcome::stop, Verdict::invalid,
             [](const string&) {
               return stream_head() +
                      event(R"({"choices":[{"delta":{"content":null},"finish_reason":null}]})") +
                      ending("stop", 1);
             }),
      result("content empty, finish stop", Outcome::stop, Verdict::invalid,
             [](const string&) { return stream_head() + chunk("content", "", 1) + ending("stop", 1); }),
      result("a raw `<\\|channel>` tag as content, cut", Outcome::cut_in_reasoning, Verdict::invalid,
             [](const string&) {
               return stream_head() + chunk("content", "<|channel>thought\nSo (A)", 40) +
                      ending("length", 40);
             }),
      result("raw thought tags in the content, then an answer", Outcome::stop, Verdict::right,
             [](const string& gold) {
               return stream_head() + chunk("content", "<|channel>thought\nSo (X)<channel|>", 9) +
                      chunk("content", "The answer is " + gold + ".", 15) + ending("stop", 16);
             }),
      fault("503 loading", page(503, llama_error(503, "Loading model"))),
      fault("429 with Retry-After", page(429, "{}", "Retry-After: 0\r\n")),
      fault("502 from a gateway", page(502, "<html>Bad Gateway</html>")),
      fault("504 from a gateway", page(504, "")),
      fault("500 of another kind", page(500, llama_error(500, "Compute error."))),
      fault("reset before the answer", [](const Connection& client) { client.reset(); }),
      fault("reset inside the stream", broken_stream("", true)),
      fault(kSilence,
            [](const Connection& client) {
              client.send(stream_head() + chunk("content", "The", 3));
              client.wait_for_close(10);
            }),
      fault("a stream without [DONE]",
            broken_stream(event(R"({"choices":[{"delta":{},"finish_reason":"stop"}]})"))),
      fault("an error event of another kind in the stream",
            broken_stream(event(llama_error(500, "Compute error.")))),
      fault("a stream that ends before its first event",
            [](const Connection& client) { client.send(stream_head()); }),
      fault("half an event", broken_stream("data: {\"choices\":[{\"del")),
      fault("another content type",
            page(200, R"({"choices":[{"message":{"content":"The answer is (A)."}}]})")),
      fault("invalid JSON", broken_stream("data: {nonsense\n\n")),
      fault("invalid UTF-8", broken_stream("data: {\"choices\":[{\"delta\":{\"content\":\"\xFF\"}}]}\n\n")),
      fault(kShared, page(500, llama_error(500, kPool)), 1),
      fault(kSharedInStream, broken_stream(event(llama_error(500, kPool))), 1),
      {"a fault that never ends", Outcome::failed, 8, Verdict::invalid,
       [](int, const string&, const Connection& client) { page(502, "gone")(client); }},
      {"a stream past max_tokens + 10%", Outcome::failed, 0, Verdict::invalid,
       [](int, const string&, const Connection& client) {
         client.send(stream_head());
         for (int tokens = 1; tokens < 200; ++tokens)
           client.send(chunk("content", "The answer is (A). ", tokens));
         client.wait_for_close(10);
       }},
      {"a stream past 16 MiB", Outcome::failed, 0, Verdict::invalid,
       [](int, const string&, const Connection& client) {
         client.send(stream_head());
         // The same token again and again in one chunk: no count shows it.
         const auto large = chunk("content", string(1u << 20, 'x'), 1);
         for (int i = 0; i < 18; ++i) client.send(large);
         client.wait_for_close(10);
       }},
  };
  return all;
}

bool shares_a_pool(const Row& row) {
  return row.name == kShared || row.name == kSharedInStream;
}

const Row& row_named(const std::string& name) {
  for (const auto& row : rows())
    if (row.name == name) return row;
  throw std::out_of_range(name);
}

// A server that plays for each question the row it was given.
class HostileServer {
 public:
  explicit HostileServer(const std::vector<Trial>& trials, std::vector<const Row*> parts)
      : trials_(trials), parts_(std::move(parts)), attempts_(parts_.size()) {
    for (std::size_t i = 0; i < parts_.size(); ++i) by_prompt_[trials[i].prompt] = i;
    server_.tell(
        fmt::format(R"({{"status":"ok","default_generation_settings":{{"n_ctx":{}}}}})", kSlotContext));
  }

  std::string url() const { return server_.url(); }
  bool kept_open() const { return server_.kept_open(); }

 private:
  void play(const std::string& body, const Connection& client) {
    const auto prompt = nlohmann::json::parse(body).at("messages").at(0).at("content").get<std::string>();
    const auto i = by_prompt_.at(prompt);
    parts_[i]->play(attempts_[i]++, trials_[i].target(), client);
  }

  const std::vector<Trial>& trials_;
  std::vector<const Row*> parts_;
  std::vector<std::atomic<int>> attempts_;
  std::map<std::string, std::size_t> by_prompt_;
  FaultServer server_{[this](int, const std::string& body, const Connection& client) { play(body, client); }};
};

SamplingConfig sampling() {
  SamplingConfig config;
  config.max_tokens = kMaxTokens;
  config.reasoning_budget = kBudget;
  config.thinking = Thinking::required;
  return config;
}

std::vector<Trial> trials_of(std::size_t count) {
  auto trials =
      make_trials(load_dataset(GPQA_TEST_DATA "/lm-eval/synthetic_gpqa_diamond.csv"), TrialOptions());
  trials.resize(count);
  return trials;
}

Manifest manifest_of(std::size_t count) {
  Manifest manifest;
  manifest.trials.limit = static_cast<double>(count);
  manifest.dataset_rows = 198;
  manifest.sampling = sampling();
  manifest.variant = "hostile";
  manifest.runner.kind = "llama-server";
  return manifest;
}

RunRecord run_against(const HostileServer& hostile, const std::vector<Trial>& trials, std::int64_t workers,
                      const std::filesystem::path& folder) {
  LlamaServerOptions options;
  options.sampling = sampling();
  options.stall_timeout_s = 2;  // long enough that a busy machine is no stall
  options.retry = {.max_retries = 8, .first_delay_s = 0.005, .max_delay_s = 0.02, .max_outage_s = 20};
  Server server;
  server.http.url = hostile.url();
  server.info.concurrency = workers;
  server.info.slot_context = kSlotContext;
  LlamaServerRunner runner(options, {server});
  RunJournal journal(folder, manifest_of(trials.size()));
  EvaluationObserver quiet;
  const auto pending = pending_trials(trials, journal.run());
  evaluate(runner, pending, options.sampling, journal, quiet, {});
  return read_run(folder);
}

// What the docs promise of a trial that meets `row`.
TrialRecord expected_record(const Trial& trial, const Row& row) {
  TrialRecord record;
  record.id = trial.id;
  record.target = trial.target();
  record.prompt_hash = trial.prompt_hash;
  record.outcome = row.outcome;
  record.retries = row.retries;
  const bool right = row.verdict == Verdict::right;
  record.score.flexible = {right ? trial.target() : "[invalid]", right};
  record.score.strict = {right ? trial.target() : "[invalid]", right};
  return record;
}

void check_record(const TrialRecord& record, const TrialRecord& expected) {
  CHECK(to_string(record.outcome) == to_string(expected.outcome));
  CHECK(record.retries == expected.retries);
  CHECK(record.score.flexible.extracted == expected.score.flexible.extracted);
  CHECK(record.score.flexible.correct == expected.score.flexible.correct);
  CHECK(record.score.strict.extracted == expected.score.strict.extracted);
  CHECK(record.score.strict.correct == expected.score.strict.correct);
  CHECK((record.outcome == Outcome::failed) ==
        (record.error.empty() ? false : record.outcome == Outcome::failed));
}

// The cells of the first table of docs/outcomes.md, by the server's deed.
std::map<std::string, std::vector<std::string>> documented() {
  std::map<std::string, std::vector<std::string>> table;
  std::ifstream file(GPQA_SOURCE_DIR "/docs/outcomes.md");
  std::string line;
  while (std::getline(file, line) && !line.starts_with("These end")) {
    if (!line.starts_with("| ") || line.starts_with("| the server")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 2; at < line.size();) {
      const auto end = line.find(" |", at);
      cells.push_back(line.substr(at, end - at));
      at = end + 3;
    }
    table[cells.at(0)] = cells;
  }
  return table;
}

}  // namespace

TEST_CASE("each row of docs/outcomes.md, alone") {
  const auto documents = documented();
  CHECK(documents.size() == rows().size());
  for (const auto& row : rows()) {
    INFO(row.name);
    const auto trials = trials_of(shares_a_pool(row) ? 2 : 1);
    const TemporaryFolder folder;
    const HostileServer hostile(trials, std::vector<const Row*>(trials.size(), &row));
    const auto run =
        run_against(hostile, trials, static_cast<std::int64_t>(trials.size()), folder.path() / "r");
    REQUIRE(run.trials.size() == trials.size());
    for (std::size_t i = 0; i < trials.size(); ++i)
      check_record(run.trials[i], expected_record(trials[i], row));
    CHECK_FALSE(hostile.kept_open());

    const auto summary = summarise(run);
    std::vector<std::string> counted;
    const auto count = [&](std::int64_t n, const char* name) {
      if (n > 0) counted.emplace_back(name);
    };
    count(summary.truncated, "truncated");
    count(summary.rumination, "rumination");
    count(summary.context_full, "context full");
    count(summary.unparsed, "unparsed");
    count(summary.answered, "answered");
    count(summary.lost, "lost");
    count(summary.failed, "failed");
    REQUIRE(documents.count(row.name) == 1);
    const auto& cells = documents.at(row.name);
    CHECK(cells.at(1) == to_string(row.outcome));
    CHECK(cells.at(2) == (row.retries == 0 ? "no" : std::to_string(row.retries)));
    CHECK(cells.at(3) == (row.verdict == Verdict::right ? "right" : "[invalid]"));
    CHECK(cells.at(4) == cells.at(3));
    auto words = fmt::format("{}", fmt::join(counted, ", "));
    if (row.retries > 0 && row.outcome == Outcome::stop) words += ", retries";
    CHECK(cells.at(5).substr(0, cells.at(5).find(';')) == words);
    CHECK((cells.at(5).find("bounds") != std::string::npos) ==
          (summary.flexible.bounds.high > summary.flexible.mean));
  }
}

TEST_CASE("a run of 198 questions against all of it at once ends in exactly the table that the rows make") {
  for (std::uint32_t seed = 1; seed <= seeds_wanted(); ++seed) {
    INFO("seed " << seed);
    const auto trials = trials_of(198);
    std::mt19937 random(seed);
    std::vector<const Row*> choice;
    for (const auto& row : rows())
      if (row.name != kAlone && !shares_a_pool(row) && row.name != kSilence) choice.push_back(&row);
    std::vector<const Row*> parts;
    for (std::size_t i = 0; i < trials.size(); ++i) parts.push_back(choice[random() % choice.size()]);
    for (const std::size_t i : {3U, 5U}) parts[i] = &row_named(kSilence);  // seconds each, so only two
    // Each cut of the concurrency counts: 8, 4, 2, 1. Any more would be answers that fill the context alone.
    for (const std::size_t i : {40U, 90U, 140U}) parts[i] = &row_named(i == 90 ? kSharedInStream : kShared);

    const TemporaryFolder folder;
    const HostileServer hostile(trials, parts);
    const auto run = run_against(hostile, trials, 8, folder.path() / "r");
    CHECK_FALSE(hostile.kept_open());
    RunRecord expected;
    expected.folder = run.folder;
    expected.manifest = run.manifest;
    for (std::size_t i = 0; i < trials.size(); ++i) {
      INFO(parts[i]->name);
      expected.trials.push_back(expected_record(trials[i], *parts[i]));
      REQUIRE(run.trials.at(i).id == trials[i].id);
      check_record(run.trials[i], expected.trials[i]);
      expected.trials[i].tokens = run.trials[i].tokens;  // of the table's last two columns
    }
    CHECK(to_markdown(compare_runs(std::vector{run}, {})) ==
          to_markdown(compare_runs(std::vector{expected}, {})));
  }
}

TEST_CASE("what is our own fault stops the run; nothing is scored, and the same run goes on later") {
  for (const int status : {400, 401, 403, 404, 501, 302}) {
    INFO(status);
    const auto trials = trials_of(5);
    const Row refused{"", Outcome::cancelled, 0, Verdict::invalid,
                      [status](int, const std::string&, const Connection& client) {
                        page(status, llama_error(status, "no"))(client);
                      }};
    const Row good = row_named("a whole answer");
    const TemporaryFolder folder;
    {
      const HostileServer hostile(trials, {&good, &good, &refused, &good, &good});
      CHECK_THROWS_AS(run_against(hostile, trials, 1, folder.path() / "r"), RunAborted);
    }
    const auto kept = read_run(folder.path() / "r");
    REQUIRE(kept.trials.size() == 2);
    const HostileServer mended(trials, std::vector<const Row*>(5, &good));
    CHECK(run_against(mended, trials, 2, folder.path() / "r").trials.size() == 5);
  }
}
