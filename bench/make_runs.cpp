// Writes two synthetic runs of the same questions, for `gpqa compare` to read: make_runs OUT TRIALS_PER_RUN
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "prompts/sha256.h"
#include "results/run_files.h"
#include "results/run_journal.h"

namespace {

constexpr std::uint32_t kQuestions = 198;

gpqa::Manifest manifest_of(const std::string& name, std::uint32_t repeats) {
  gpqa::Manifest manifest;
  manifest.gpqa_version = "bench";
  manifest.created = "2026-01-01T00:00:00Z";
  manifest.dataset_sha256 = gpqa::sha256_hex("bench");
  manifest.dataset_rows = kQuestions;
  manifest.trials.repeats = repeats;
  manifest.prompts_sha256 = gpqa::sha256_hex("prompts");
  manifest.profile = "card";
  manifest.sampling.max_tokens = 12288;
  manifest.variant = name;
  manifest.reference = name == "a";
  manifest.runner.kind = "scripted";
  return manifest;
}

// Right in a part of the trials that depends on the question; not the same ones in both runs.
std::vector<gpqa::TrialRecord> trials_of(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<gpqa::TrialRecord> trials(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& trial = trials[i];
    trial.id = {static_cast<std::uint32_t>(i % kQuestions), static_cast<std::uint32_t>(i / kQuestions)};
    trial.record_id = "rec" + std::to_string(trial.id.doc_id);
    trial.target = "(A)";
    trial.prompt_hash = gpqa::sha256_hex(trial.record_id);
    trial.seed = static_cast<std::uint32_t>(random());
    trial.outcome = random() % 50 ? gpqa::Outcome::stop : gpqa::Outcome::cut_in_reasoning;
    trial.finish_reason = trial.outcome == gpqa::Outcome::stop ? "stop" : "length";
    const bool right = random() % kQuestions < trial.id.doc_id;
    trial.score.flexible = {right ? "(A)" : "(B)", right};
    trial.score.strict = trial.score.flexible;
    trial.tokens = {300, 5000, 4000, 1000};
    trial.timing = {1.5, 60000.25, 900.125, 59000.5};
    trial.server_id = "chatcmpl-" + std::to_string(random());
    trial.transcript_offset = i * 20000;
    trial.transcript_bytes = 20000;
    trial.transcript_sha256 = trial.prompt_hash;
  }
  return trials;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 3) {
      std::fputs("make_runs OUT TRIALS_PER_RUN\n", stderr);
      return 2;
    }
    const std::filesystem::path out = argv[1];
    const auto count = static_cast<std::size_t>(std::strtoull(argv[2], nullptr, 10));
    const auto repeats = static_cast<std::uint32_t>((count + kQuestions - 1) / kQuestions);
    for (const std::string name : {"a", "b"}) {
      { const gpqa::RunJournal journal(out / name, manifest_of(name, repeats)); }
      gpqa::rewrite_trials(out / name, trials_of(name == "a" ? 1 : 2, count));
    }
    return 0;
  } catch (const std::exception& e) {
    std::fputs(e.what(), stderr);
    return 1;
  }
}
