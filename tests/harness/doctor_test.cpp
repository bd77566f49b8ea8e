// `gpqa doctor` over runs that were damaged in every way that a disk, a person or a crash can.
#include "results/doctor.h"

#include <filesystem>
#include <fstream>
#include <random>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "results/run_files.h"
#include "tests/catch.h"
#include "tests/harness/scripted_run.h"
#include "tests/harness/shell.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::ScriptedRun;
using gpqa_test::Shell;
using gpqa_test::stopped;

namespace {

namespace fs = std::filesystem;

struct Patient {
  Shell gpqa;
  ScriptedRun run{6};
  fs::path folder = gpqa.folder.path() / "r";
  RunRecord sound;

  Patient() {
    run.go(folder, [](const Request&) { return stopped("The answer is (A)."); });
    sound = read_run(folder);
  }
  void write(const char* name, const std::string& text) const {
    std::ofstream(folder / name, std::ios::binary) << text;
  }
  std::string trials() const { return contents(folder / "trials.jsonl"); }
  std::string transcripts() const { return contents(folder / "transcripts.jsonl"); }
};

std::string line(const std::string& text, std::size_t n) {
  std::size_t start = 0;
  for (std::size_t i = 0; i < n; ++i) start = text.find('\n', start) + 1;
  return text.substr(start, text.find('\n', start) + 1 - start);
}

}  // namespace

TEST_CASE("a whole run is found sound, an unfinished or torn one can go on") {
  const Patient patient;
  const auto whole = patient.gpqa("doctor r");
  CHECK(whole.code == 0);
  CHECK(whole.out == "6 of 6 trials are sound; the run is whole\n");
  const auto trials = patient.trials();
  patient.write("trials.jsonl", trials.substr(0, trials.size() - 20));
  const auto torn = patient.gpqa("doctor r");
  CHECK(torn.code == 0);
  CHECK_THAT(torn.out, Contains("torn") && Contains("trials.jsonl:6") && Contains("5 of 6 trials are sound"));
  CHECK(patient.trials().size() == trials.size() - 20);  // changes nothing
}

TEST_CASE("each damage is named by line, and the rest can be salvaged and gone on with") {
  const Patient patient;
  const auto trials = patient.trials();
  const auto transcripts = patient.transcripts();
  const auto damaged = [&](const std::string& words, std::size_t sound) {
    INFO(words);
    const auto result = patient.gpqa("doctor r");
    CHECK(result.code == 2);
    CHECK_THAT(result.out, Contains("DAMAGE") && Contains(words) &&
                               Contains(std::to_string(sound) + " of 6 trials are sound") &&
                               Contains("--salvage"));
    patient.write("trials.jsonl", trials);
    patient.write("transcripts.jsonl", transcripts);
  };
  auto text = trials;
  patient.write("trials.jsonl", text.replace(text.find("\"outcome\""), 9, "\"outcame\""));
  damaged("trials.jsonl:1: no record", 5);
  text = trials;
  auto& digit = text.at(text.find("\"prompt_hash\":\"") + 15);
  digit = digit == '0' ? '1' : '0';
  patient.write("trials.jsonl", text);
  damaged("trials.jsonl:1: doc 0 repeat 0: the prompt in its transcript is not the one that was hashed", 5);
  text = transcripts;
  patient.write("transcripts.jsonl", text.replace(text.rfind("The answer is (A)"), 17, "The answer is (B)"));
  damaged("trials.jsonl:6: doc 5 repeat 0 has no transcript", 5);
  patient.write("transcripts.jsonl", transcripts.substr(0, transcripts.size() / 2));
  damaged("has no transcript", 3);
  auto other = line(trials, 2);
  other.replace(other.find("(A)"), 3, "(B)");
  patient.write("trials.jsonl", trials + other);
  damaged("another record of doc 2 repeat 0 than line 3", 6);
  other = line(trials, 2);
  patient.write("trials.jsonl", trials + other.replace(other.find("\"doc_id\":2"), 10, "\"doc_id\":9"));
  damaged("is not of this plan", 6);
  text = trials;
  patient.write("trials.jsonl", text.replace(text.find("\"strict\":{\"extracted\":\"(A)\""), 27,
                                             "\"strict\":{\"extracted\":\"(D)\""));
  damaged("gpqa rescore", 6);

  text = trials;
  patient.write("trials.jsonl", text.replace(text.find("\"outcome\""), 9, "\"outcame\""));
  const auto salvaged = patient.gpqa("doctor r --salvage saved/r");
  INFO(salvaged.out << salvaged.err);
  REQUIRE(salvaged.code == 0);
  const auto kept = read_run(patient.gpqa.folder.path() / "saved/r");
  REQUIRE(kept.trials.size() == 5);
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(canonical(kept.trials[i]) == canonical(patient.sound.trials[i + 1]));
  CHECK_THAT(kept.manifest.history.at(0).what, Contains("5 of 6 trials were sound"));
  std::size_t asked = 0;
  patient.run.go(kept.folder, [&](const Request&) {
    ++asked;
    return stopped("The answer is (A).");
  });
  CHECK(asked == 1);
  CHECK(patient.gpqa("doctor saved/r").code == 0);
  CHECK_THAT(patient.gpqa("doctor r --salvage saved/r").err, Contains("is not empty"));
}

TEST_CASE("without a manifest nothing can be gone on with, and without a run there is nothing to say") {
  const Patient patient;
  fs::remove(patient.folder / "run.json");
  const auto result = patient.gpqa("doctor r");
  CHECK(result.code == 2);
  CHECK_THAT(result.out, Contains("DAMAGE  run.json"));
  CHECK(patient.gpqa("doctor r --salvage x").code == 2);
  CHECK_THAT(patient.gpqa("doctor none").err, Contains("no such folder"));
  CHECK_THAT(patient.gpqa("doctor .").err, Contains("expected a folder that `gpqa run` made"));
}

TEST_CASE("no flipped byte in a run's files goes unnoticed, and what is called sound is as it was") {
  const Patient patient;
  const auto trials = patient.trials();
  const auto transcripts = patient.transcripts();
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    const bool in_trials = random() % 2 == 0;
    auto text = in_trials ? trials : transcripts;
    const auto at = random() % text.size();
    text[at] = static_cast<char>(text[at] ^ (1 << random() % 8));
    INFO((in_trials ? "trials" : "transcripts") << " byte " << at);
    patient.write("trials.jsonl", in_trials ? text : trials);
    patient.write("transcripts.jsonl", in_trials ? transcripts : text);
    const auto diagnosis = examine_run(patient.folder);
    for (const auto& record : diagnosis.sound) {
      const auto& was = patient.sound.trials.at(record.id.doc_id);
      // A flipped digit of a time, a count or a seed is still a record: nothing else stands for it.
      if (!in_trials) CHECK(to_json(record) == to_json(was));
      CHECK(record.transcript_sha256 == was.transcript_sha256);
      if (diagnosis.findings.empty()) CHECK(record.score.flexible.correct == was.score.flexible.correct);
    }
    if (!in_trials) CHECK_FALSE(diagnosis.findings.empty());
  }
}
