// Against what lm-eval 0.4.13 itself asked (tests/data/README.md).
#include "prompts/prompt.h"
#include "prompts/prompt_json.h"
#include "prompts/sha256.h"
#include "prompts/trial.h"
#include "tests/catch.h"
#include "tests/json_lines.h"

namespace gpqa {
namespace {

const std::string kFolder = GPQA_TEST_DATA "/lm-eval/";

const Dataset& synthetic() {
  static const Dataset dataset = load_dataset(kFolder + "synthetic_gpqa_diamond.csv");
  return dataset;
}

TEST_CASE("task version 2.2: prompts, orders, gold letters and prompt hashes are lm-eval's") {
  const auto trials = make_trials(synthetic(), {});
  const auto golden = gpqa_test::read_json_lines(kFolder + "prompts.jsonl");
  REQUIRE(trials.size() == 198);
  REQUIRE(golden.size() == 198);
  for (std::size_t i = 0; i < golden.size(); ++i) {
    INFO("doc " << i);
    CHECK(trials[i].id.doc_id == golden[i]["doc_id"]);
    CHECK(trials[i].record_id == golden[i]["record_id"]);
    CHECK(trials[i].prompt == golden[i]["prompt"]);
    CHECK(nlohmann::json(trials[i].choices) == golden[i]["choices"]);
    CHECK(trials[i].target() == golden[i]["target"]);
    CHECK(trials[i].prompt_hash == golden[i]["prompt_hash"]);
  }
}

TEST_CASE("task versions 1.0 and 2.1: choices, gold letters and prompts are lm-eval's") {
  for (const auto version : {TaskVersion::v1_0, TaskVersion::v2_1}) {
    const auto trials = make_trials(synthetic(), {.version = version});
    const auto golden =
        gpqa_test::read_json_lines(kFolder + "prompts_task_" + std::string(to_string(version)) + ".jsonl");
    REQUIRE(trials.size() == golden.size());
    for (std::size_t i = 0; i < golden.size(); ++i) {
      INFO("version " << to_string(version) << " doc " << i);
      CHECK(nlohmann::json(trials[i].choices) == golden[i]["choices"]);
      CHECK(trials[i].target() == golden[i]["target"]);
      CHECK(sha256_hex(trials[i].prompt) == golden[i]["prompt_sha256"]);
    }
  }
}

TEST_CASE("the versions differ where a choice holds brackets") {
  const auto newest = make_trials(synthetic(), {.version = TaskVersion::v2_2});
  const auto oldest = make_trials(synthetic(), {.version = TaskVersion::v1_0});
  CHECK(std::any_of(newest.begin(), newest.end(),
                    [&](const Trial& t) { return t.prompt != oldest[t.id.doc_id].prompt; }));
}

TEST_CASE("seed 42 gives lm-eval's other order") {
  const auto trials = make_trials(synthetic(), {.shuffle_seed = 42});
  const auto golden = gpqa_test::read_json_lines(kFolder + "targets_seed42.jsonl");
  REQUIRE(trials.size() == golden.size());
  for (std::size_t i = 0; i < golden.size(); ++i) {
    CHECK(nlohmann::json(trials[i].choices) == golden[i]["choices"]);
    CHECK(trials[i].target() == golden[i]["target"]);
  }
}

TEST_CASE("a printed line is JSON that says the same") {
  for (const auto& trial : make_trials(synthetic(), {})) {
    const auto line = prompt_json_line(trial);
    CHECK(line.find('\n') == std::string::npos);
    const auto json = nlohmann::ordered_json::parse(line);
    CHECK(json.begin().key() == "doc_id");
    CHECK(json["prompt"] == trial.prompt);
    CHECK(json["choices"] == nlohmann::ordered_json(trial.choices));
    CHECK(json["target"] == trial.target());
  }
}

}  // namespace
}  // namespace gpqa
