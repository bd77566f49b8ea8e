// Asks the trials that a run still lacks, scores the answers and keeps them.
#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "prompts/trial.h"
#include "results/run_journal.h"
#include "runners/runner.h"
#include "runners/sampling_config.h"

namespace gpqa {

// Hears of an evaluation while it goes on, on the thread that runs it.
struct EvaluationObserver {
  virtual ~EvaluationObserver() = default;
  virtual void on_delta(TrialId, std::string_view /*text*/) {}
  virtual void on_record(const TrialRecord&) {}  // it is kept, and on disk within a second
  virtual void on_event(std::string_view /*what*/) {}
};

struct EvaluationResult {
  std::size_t recorded = 0;  // now, failed ones among them
  std::size_t failed = 0;
  std::size_t cancelled = 0;  // asked, and not kept
  bool stopped = false;       // before every trial was asked or answered
};

// Those without a record, and those that failed, in the plan's order.
std::vector<Trial> pending_trials(std::span<const Trial> trials, const RunRecord& run);

// What is kept of an answer. A failed call is never scored by what came of it.
TrialRecord make_record(const Trial& trial, const Completion& completion, const SamplingConfig& sampling);

// Asks each of `pending` once. An error of the journal stops the run and is thrown when the runner has let
// go.
EvaluationResult evaluate(Runner& runner, std::span<const Trial> pending, const SamplingConfig& sampling,
                          RunJournal& journal, EvaluationObserver& observer, std::stop_token stop);

}  // namespace gpqa
