#include "results/lm_eval_files.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/dataset.h"
#include "prompts/input_error.h"
#include "results/lm_eval_results.h"
#include "results/pandas_types.h"
#include "results/posix_file.h"
#include "results/python_json.h"
#include "results/run_journal.h"
#include "scoring/score.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

const fs::path kGoldens = fs::path(GPQA_TEST_DATA) / "lm-eval";
const std::string kTask = "syn_gpqa_diamond_cot_zeroshot";
const std::string kTime = "2026-11-24T03-12-11.201304";

const Dataset& dataset() {
  static const Dataset dataset = load_dataset(kGoldens / "synthetic_gpqa_diamond.csv");
  return dataset;
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  REQUIRE(file.good());
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> golden_samples() {
  return lines_of(kGoldens / ("samples_" + kTask + "_" + kTime + ".jsonl"));
}

// As the goldens were made: lm-eval's defaults against a server that gives fixed answers.
Manifest golden_manifest() {
  Manifest manifest;
  manifest.gpqa_version = "0.1.0";
  manifest.created = "2026-11-24T03:12:07Z";
  manifest.dataset_path = "data/synthetic_gpqa_diamond.csv";
  manifest.dataset_sha256 = dataset().sha256;
  manifest.dataset_rows = dataset().questions.size();
  manifest.task_name = kTask;
  manifest.sampling.temperature = 0.0;
  manifest.sampling.stop = {"</s>"};
  manifest.sampling.max_tokens = 256;
  manifest.sampling.thinking = Thinking::absent;
  manifest.sampling.seed_rule = SeedRule::constant;
  manifest.sampling.constant_seed = 1234;
  manifest.runner.kind = "llama-server";
  manifest.runner.url = "http://127.0.0.1:18101/";
  manifest.runner.model_id = "fake";
  return manifest;
}

// A run whose answers are the goldens' (again in every repeat).
RunRecord golden_run(const fs::path& folder, const Manifest& manifest) {
  std::vector<std::string> answers;
  for (const auto& line : golden_samples())
    answers.push_back(Json::parse(line).at("resps")[0][0].get<std::string>());
  RunJournal journal(folder, manifest);
  for (const auto& trial : make_trials(dataset(), manifest.trials)) {
    Transcript transcript;
    transcript.id = trial.id;
    transcript.prompt = trial.prompt;
    transcript.choices = trial.choices;
    transcript.content = answers.at(trial.id.doc_id);
    TrialRecord record;
    record.id = trial.id;
    record.target = trial.target();
    record.prompt_hash = trial.prompt_hash;
    record.seed = trial.seed;
    record.outcome = Outcome::stop;
    record.score = score(transcript.content, trial.choices, record.target);
    journal.append(record, transcript);
  }
  journal.commit();
  return journal.run();
}

// The keys in the table of docs/lm_eval_export.md.
std::set<std::string> exempt_keys() {
  std::set<std::string> keys;
  for (const auto& line : lines_of(fs::path(GPQA_SOURCE_DIR) / "docs" / "lm_eval_export.md")) {
    if (line.rfind("| `/", 0) != 0) continue;
    std::string key = line.substr(3, line.find('`', 3) - 3);
    if (const auto task = key.find("TASK"); task != std::string::npos) key.replace(task, 4, kTask);
    keys.insert(key);
  }
  return keys;
}

// Same keys in the same order, same values but for the exempt ones, of which each is met.
void compare(const Json& ours, const Json& theirs, const std::string& place, std::set<std::string>& exempt) {
  INFO(place);
  if (exempt.erase(place) != 0) return;
  if (!theirs.is_object()) {
    CHECK(python_json(ours) == python_json(theirs));
    return;
  }
  REQUIRE(ours.is_object());
  std::vector<std::string> our_keys;
  std::vector<std::string> their_keys;
  for (const auto& item : ours.items()) our_keys.push_back(item.key());
  for (const auto& item : theirs.items()) their_keys.push_back(item.key());
  REQUIRE(our_keys == their_keys);
  for (const auto& key : their_keys)
    compare(ours.at(key), theirs.at(key), fmt::format("{}/{}", place, key), exempt);
}

std::string refusal(const RunRecord& run, const fs::path& out, std::uint32_t repeat = 0) {
  try {
    export_lm_eval(run, dataset(), out, repeat);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Exported samples are lm-eval's byte for byte, and results equal but for the documented keys") {
  const TemporaryFolder folder;
  const RunRecord run = golden_run(folder.path() / "run", golden_manifest());
  const LmEvalFiles files = export_lm_eval(run, dataset(), folder.path() / "out");

  const std::string time = files.results.filename().string().substr(8, kTime.size());
  CHECK(files.results == folder.path() / "out" / ("results_" + time + ".json"));
  CHECK(files.samples == folder.path() / "out" / ("samples_" + kTask + "_" + time + ".jsonl"));
  for (std::size_t i = 0; i < kTime.size(); ++i)
    CHECK((kTime[i] >= '0' && kTime[i] <= '9') == (time[i] >= '0' && time[i] <= '9'));

  const auto ours = lines_of(files.samples);
  const auto theirs = golden_samples();
  REQUIRE(ours.size() == theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) CHECK(ours[i] == theirs[i]);

  const std::string text = read_whole_file(files.results);
  const Json results = Json::parse(text);
  std::set<std::string> exempt = exempt_keys();
  REQUIRE(exempt.size() > 5);
  compare(results, Json::parse(read_whole_file(kGoldens / ("results_" + kTime + ".json"))), "", exempt);
  INFO("never met: " << Catch::Detail::stringify(exempt));
  CHECK(exempt.empty());
  CHECK(results.at("date") == 1795489927.0);
  CHECK_THAT(text, Catch::Contains("\"exact_match_stderr,flexible-extract\": 0.027178752639044915\n"));
}

TEST_CASE("A limited run is exported with lm-eval's counts, and one document has no standard error") {
  for (const double limit : {10.0, 1.0}) {
    const TemporaryFolder folder;
    Manifest manifest = golden_manifest();
    manifest.trials.limit = limit;
    const RunRecord run = golden_run(folder.path() / "run", manifest);
    const LmEvalFiles files = export_lm_eval(run, dataset(), folder.path() / "out");
    const auto n = static_cast<std::size_t>(limit);
    const auto samples = lines_of(files.samples);
    REQUIRE(samples.size() == 2 * n);
    CHECK(samples.front() == golden_samples().front());
    CHECK(samples[n] == golden_samples()[198]);
    const Json results = Json::parse(read_whole_file(files.results));
    CHECK(results.at("n-samples").at(kTask) == Json({{"original", 198}, {"effective", n}}));
    CHECK(results.at("results").at(kTask).at("sample_len") == n);
    CHECK(python_json(results.at("config").at("limit")) == (limit == 10 ? "10.0" : "1.0"));
    CHECK((results.at("results").at(kTask).at("exact_match_stderr,strict-match") == "N/A") == (n == 1));
  }
}

TEST_CASE("Generation kwargs hold what was sent and lm-eval would not have sent unasked") {
  SamplingConfig card;
  card.temperature = 1.0;
  card.top_k = 64;
  card.top_p = 0.95;
  card.dry_sequence_breakers = {"\n"};
  card.reasoning_budget = 8192;
  card.max_tokens = 12288;
  card.thinking = Thinking::required;
  CHECK(
      python_json(lm_eval_generation_kwargs(card, 77)) ==
      R"({"until": [], "do_sample": true, "temperature": 1.0, "max_gen_toks": 12288, "top_k": 64, "top_p": 0.95, )"
      R"("dry_sequence_breakers": ["\n"], "reasoning_budget_tokens": 8192, )"
      R"("chat_template_kwargs": {"enable_thinking": true}, "seed": 77})");
  CHECK_FALSE(lm_eval_generation_kwargs(card).contains("seed"));
  card.seed_rule = SeedRule::constant;
  card.constant_seed = 42;
  CHECK(lm_eval_generation_kwargs(card, 77).at("seed") == 42);
  card.constant_seed = 1234;
  CHECK_FALSE(lm_eval_generation_kwargs(card, 77).contains("seed"));
  card.temperature.reset();
  CHECK(lm_eval_generation_kwargs(card).at("do_sample") == true);
  CHECK_FALSE(lm_eval_generation_kwargs(card).contains("temperature"));

  Manifest manifest = golden_manifest();
  manifest.sampling = card;
  const Json results = lm_eval_results(manifest, {{1.0, 0.0}, {1.0, 1.0}, "hash"});
  CHECK(results.at("config").at("gen_kwargs").at("top_k") == 64);
  CHECK(results.at("configs").at(kTask).at("generation_kwargs") == lm_eval_generation_kwargs(card));
}

TEST_CASE("Each repeat can be exported, and no other") {
  const TemporaryFolder folder;
  Manifest manifest = golden_manifest();
  manifest.trials.limit = 3;
  manifest.trials.repeats = 2;
  manifest.sampling.seed_rule = SeedRule::per_trial;
  const RunRecord run = golden_run(folder.path() / "run", manifest);
  const auto seed = [&](std::uint32_t repeat) {
    const auto files = export_lm_eval(run, dataset(), folder.path() / "out", repeat);
    return Json::parse(lines_of(files.samples)[1]).at("arguments").at("gen_args_0").at("arg_1").at("seed");
  };
  const auto trials = make_trials(dataset(), manifest.trials);
  CHECK(seed(0) == trials[1].seed);
  CHECK(seed(1) == trials[4].seed);
  CHECK_THAT(refusal(run, folder.path() / "out", 2), Catch::Contains("no repeat 2"));
}

TEST_CASE("A run that lacks answers, or was asked something else, is not exported") {
  const TemporaryFolder folder;
  Manifest manifest = golden_manifest();
  manifest.trials.limit = 4;
  const RunRecord run = golden_run(folder.path() / "run", manifest);
  const fs::path out = folder.path() / "out";

  RunRecord missing = run;
  missing.trials.erase(missing.trials.begin() + 2);
  CHECK_THAT(refusal(missing, out), Catch::Contains("1 of 4") && Catch::Contains("doc 2 is missing"));
  RunRecord failed = run;
  failed.trials[1].outcome = Outcome::failed;
  failed.trials[1].error = "connection reset";
  CHECK_THAT(refusal(failed, out), Catch::Contains("doc 1 failed: connection reset"));
  RunRecord other = run;
  other.trials[0].prompt_hash[0] ^= 1;
  CHECK_THAT(refusal(other, out), Catch::Contains("another prompt"));
  other = run;
  other.manifest.dataset_sha256[0] ^= 1;
  CHECK_THAT(refusal(other, out), Catch::Contains("SHA-256"));
  CHECK_FALSE(fs::exists(out));
  CHECK(refusal(run, out).empty());
}

TEST_CASE("A task's name can't lead the files out of their folder") {
  const TemporaryFolder folder;
  Manifest manifest = golden_manifest();
  manifest.trials.limit = 1;
  manifest.task_name = "/../../x";
  const auto files =
      export_lm_eval(golden_run(folder.path() / "run", manifest), dataset(), folder.path() / "out");
  CHECK(fs::canonical(files.samples).parent_path() == fs::canonical(folder.path() / "out"));
}

TEST_CASE("Model names are sanitized as lm-eval does it") {
  CHECK(lm_eval_sanitized("google/gemma-4-26B-A4B-it") == "google__gemma-4-26B-A4B-it");
  CHECK(lm_eval_sanitized("a<>:/|\\?*[]\"b/c") == "a__b__c");
  CHECK(lm_eval_sanitized("").empty());
}

TEST_CASE("Columns get the types that pandas and datasets give them") {
  std::size_t columns = 0;
  for (const auto& line : lines_of(kGoldens / "csv_columns.jsonl")) {
    const Json golden = Json::parse(line);
    std::vector<Cell> cells;
    for (const auto& cell : golden.at("cells"))
      cells.push_back(cell.is_null() ? Cell() : Cell(cell.get<std::string>()));
    INFO(line);
    CHECK(python_json(Json(pandas_column(cells))) == golden.at("json").get<std::string>());
    ++columns;
  }
  CHECK(columns > 900);
}

TEST_CASE("Doubles are written as Python's repr writes them") {
  const std::pair<double, const char*> cases[] = {
      {0.1, "0.1"},
      {1.0 / 3, "0.3333333333333333"},
      {1e16, "1e+16"},
      {1e15, "1000000000000000.0"},
      {1.2345678901234568e+17, "1.2345678901234568e+17"},
      {9007199254740993.0, "9007199254740992.0"},
      {0.0001, "0.0001"},
      {1e-05, "1e-05"},
      {9.999e-05, "9.999e-05"},
      {5e-324, "5e-324"},
      {1.7976931348623157e+308, "1.7976931348623157e+308"},
      {0.0, "0.0"},
      {-0.0, "-0.0"},
      {-2.5, "-2.5"},
      {100.0, "100.0"},
      {1e23, "1e+23"},
      {1e100, "1e+100"},
      {-1e-07, "-1e-07"},
      {123456.789, "123456.789"},
      {0.02239078763821677, "0.02239078763821677"},
  };
  for (const auto& [value, text] : cases) CHECK(python_repr(value) == text);
}

TEST_CASE("JSON is written as Python's json.dumps writes it") {
  const Json value = {{"a", {1, 2.0, nullptr, true}},
                      {"b", Json::object()},
                      {"c", Json::array()},
                      {"d\"", "\xC3\xA9\x7F\x01\n\\/"},
                      {"e", {{"f", std::numeric_limits<double>::infinity()}}}};
  CHECK(python_json(value) ==
        "{\"a\": [1, 2.0, null, true], \"b\": {}, \"c\": [], \"d\\\"\": \"\xC3\xA9\x7F\\u0001\\n\\\\/\", "
        "\"e\": {\"f\": Infinity}}");
  CHECK(python_json(Json({{"a", {1, 2}}, {"b", Json::object()}, {"c", {{"d", "x"}}}}), 2) ==
        "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": {\n    \"d\": \"x\"\n  }\n}");
}

}  // namespace gpqa
