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

// Paired with the reference on the flexible filter, over the trials both runs have.
struct PairedDifference {
  std::int64_t n = 0;
  std::int64_t right_to_wrong = 0;  // reference right, variant wrong
  std::int64_t wrong_to_right = 0;
  double delta = 0;                 // variant - reference, of the mean over questions (a fraction, not pp)
  Interval bootstrap;               // 95%, questions resampled
  std::optional<double> mcnemar_p;  // one repeat only: repeats of a question are not independent
  std::optional<double> standard_error;  // of delta, over question differences
};

struct ComparedVariant {
  std::string name;
  std::optional<std::int64_t> experts;
  std::string folder;
  Summary summary;
  bool reference = false;
  std::string contaminated;                // why its map is: "calibrated on evaluated questions ...", else ""
  std::optional<PairedDifference> paired;  // none for the reference
  std::string verdict;                     // a plain sentence
};

struct Comparison {
  std::string title;
  std::vector<ComparedVariant> variants;  // reference first, then as given
  std::vector<std::string> warnings;      // shown in front of the table
};

struct CompareOptions {
  std::string reference;  // a variant's name; "": the one its manifest calls the reference, else the first
  std::uint64_t bootstrap_seed = 0;
  int resamples = 10000;
};

// Throws InputError if prompt hashes differ (naming the trials), runs share no trial, or the reference is
// unknown.
Comparison compare_runs(std::span<const RunRecord> runs, const CompareOptions& options);

// The card's four published rows, with what counts alone (no pairing) allow to say.
Comparison published_comparison();

nlohmann::ordered_json to_json(const Comparison& comparison);
std::string to_csv(const Comparison& comparison);

}  // namespace gpqa
