// Variants against a reference, question by question.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "results/run_record.h"
#include "results/summary.h"

namespace gpqa {

// On the flexible filter, over the trials that both runs have and neither failed in.
struct PairedDifference {
  std::int64_t n = 0;
  std::int64_t failed = 0;          // trials that both have, left out because one of the two failed
  std::int64_t right_to_wrong = 0;  // reference right, variant wrong
  std::int64_t wrong_to_right = 0;
  std::int64_t questions = 0;
  std::int64_t questions_moved = 0;  // whose mean differs
  double delta = 0;                  // variant - reference, of the mean over questions (a fraction, not pp)
  Interval bootstrap;                // 95%, questions resampled
  std::optional<double> mcnemar_p;   // one pair a question only: repeats of a question are not independent
  std::optional<double> standard_error;  // of delta, over question differences
};

// From counts alone, as if the two had answered different questions.
struct UnpairedDifference {
  double delta = 0;
  double p = 1;  // two-sided, pooled z
};

struct ComparedVariant {
  std::string name;
  std::optional<std::int64_t> experts;
  std::string folder;
  Summary summary;
  bool counts_only = false;  // published figures: of the summary, only n and flexible are known
  bool reference = false;
  std::string contaminated;                    // how its drop map was calibrated, if on evaluated questions
  std::optional<PairedDifference> paired;      // none for the reference and for published figures
  std::optional<UnpairedDifference> unpaired;  // published figures only
  std::string verdict;                         // a plain sentence, of our own words alone
};

struct Comparison {
  std::string title;
  std::vector<std::string> warnings;      // shown in front of the table
  std::vector<ComparedVariant> variants;  // reference first, then as given
  std::vector<std::string> notes;         // shown below: what the figures are about
  std::uint64_t bootstrap_seed = 0;
  int resamples = 0;  // 0: nothing was resampled
};

struct CompareOptions {
  std::string reference;  // a variant's name; "": the one its manifest calls the reference, else the first
  std::uint64_t bootstrap_seed = 0;
  int resamples = 10000;
};

// Throws InputError if prompts differ (naming the trials), runs share no trial, or the reference is unknown.
Comparison compare_runs(std::span<const RunRecord> runs, const CompareOptions& options);

// The card's four published rows, with what counts alone (no pairing) allow to say.
Comparison published_comparison();

}  // namespace gpqa
