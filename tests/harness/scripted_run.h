// A run of the invented questions, answered by a function.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harness/evaluate.h"
#include "prompts/dataset.h"
#include "results/run_journal.h"
#include "runners/scripted/scripted_runner.h"

namespace gpqa_test {

inline const std::string kSyntheticCsv = GPQA_TEST_DATA "/lm-eval/synthetic_gpqa_diamond.csv";

struct ScriptedRun {
  gpqa::Manifest manifest;
  std::vector<gpqa::Trial> trials;

  explicit ScriptedRun(double limit, std::uint32_t repeats = 1) {
    const auto dataset = gpqa::load_dataset(kSyntheticCsv);
    manifest.trials.limit = limit;
    manifest.trials.repeats = repeats;
    manifest.dataset_path = kSyntheticCsv;
    manifest.dataset_sha256 = dataset.sha256;
    manifest.dataset_rows = dataset.questions.size();
    manifest.sampling.max_tokens = 100;
    manifest.profile = "card";
    manifest.variant = "scripted";
    manifest.runner.kind = "scripted";
    trials = gpqa::make_trials(dataset, manifest.trials);
  }

  const gpqa::Trial& trial(gpqa::TrialId id) const {
    for (const auto& t : trials)
      if (t.id == id) return t;
    throw std::out_of_range("no such trial");
  }

  // Opens (or goes on with) the run in `folder` and asks what it lacks.
  gpqa::EvaluationResult go(const std::filesystem::path& folder,
                            const std::function<gpqa::Completion(const gpqa::Request&)>& answer,
                            std::stop_token stop = {}) const {
    gpqa::RunJournal journal(folder, manifest);
    gpqa::ScriptedRunner runner(answer);
    gpqa::EvaluationObserver quiet;
    const auto pending = gpqa::pending_trials(trials, journal.run());
    return gpqa::evaluate(runner, pending, manifest.sampling, journal, quiet, std::move(stop));
  }
};

inline gpqa::Completion stopped(const std::string& content) {
  gpqa::Completion completion;
  completion.content = content;
  completion.outcome = gpqa::Outcome::stop;
  completion.finish_reason = "stop";
  completion.tokens = {10, 5, 3, 2};
  return completion;
}

}  // namespace gpqa_test
