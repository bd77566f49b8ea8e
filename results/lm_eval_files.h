// results_*.json and samples_*.jsonl with lm-eval's names, keys and hashes.
#pragma once

#include <filesystem>

#include "prompts/dataset.h"
#include "results/run_record.h"

namespace gpqa {

struct LmEvalFiles {
  std::filesystem::path results;
  std::filesystem::path samples;
};

// Writes both files into `out` (made if missing). `dataset` must have the manifest's SHA-256.
// Throws InputError if the run lacks trials of its plan.
LmEvalFiles export_lm_eval(const RunRecord& run, const Dataset& dataset, const std::filesystem::path& out);

}  // namespace gpqa
