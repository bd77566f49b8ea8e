// Runs put together from counts, for the tests of tables.
#pragma once

#include <functional>
#include <string>

#include "results/run_record.h"

namespace gpqa {

inline Manifest constructed_manifest(const std::string& name, std::int64_t experts, std::uint64_t rows,
                                     std::uint32_t repeats = 1) {
  Manifest manifest;
  manifest.gpqa_version = "0.1.0";
  manifest.dataset_sha256 = std::string(64, 'a');
  manifest.dataset_rows = rows;
  manifest.trials.repeats = repeats;
  manifest.profile = "card";
  manifest.sampling.max_tokens = 12288;
  manifest.sampling.reasoning_budget = 8192;
  manifest.variant = name;
  manifest.experts = experts;
  manifest.runner.kind = "llama-server";
  manifest.runner.build = "b11434";
  manifest.runner.quant = "Q6_K";
  manifest.runner.slots = 1;
  return manifest;
}

// `fill` decides each trial; one whose outcome it sets to `cancelled` is left out.
inline RunRecord constructed_run(Manifest manifest, const std::function<void(TrialRecord&)>& fill) {
  RunRecord run;
  run.folder = "runs/" + manifest.variant;
  run.manifest = std::move(manifest);
  for (std::uint32_t doc_id = 0; doc_id < run.manifest.dataset_rows; ++doc_id) {
    for (std::uint32_t repeat = 0; repeat < run.manifest.trials.repeats; ++repeat) {
      TrialRecord trial;
      trial.id = {doc_id, repeat};
      trial.target = "(A)";
      trial.prompt_hash = "hash of " + std::to_string(doc_id);
      trial.outcome = Outcome::stop;
      trial.score.flexible.extracted = "(B)";
      trial.score.strict.extracted = "[invalid]";
      trial.tokens = {.prompt = 300, .completion = 900, .reasoning = 700, .content = 200};
      fill(trial);
      if (trial.outcome != Outcome::cancelled) {
        run.trials.push_back(std::move(trial));
      }
    }
  }
  return run;
}

inline void make_right(TrialRecord& trial, bool right = true) {
  trial.score.flexible = {.extracted = right ? "(A)" : "(B)", .correct = right};
  trial.score.strict = {.extracted = right ? "(A)" : "[invalid]", .correct = right};
}

}  // namespace gpqa
