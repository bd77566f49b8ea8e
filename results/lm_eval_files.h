// results_*.json and samples_*.jsonl with lm-eval's names, keys and hashes.
#pragma once

#include <cstdint>
#include <filesystem>

#include "prompts/dataset.h"
#include "results/run_record.h"

namespace gpqa {

struct LmEvalFiles {
  std::filesystem::path results;
  std::filesystem::path samples;
};

// Writes both files into `out` itself (made if missing; lm-eval adds a folder named after the model),
// readable by the user only: they hold GPQA text. lm-eval has no repeats, so one is written.
// docs/lm_eval_export.md lists what differs from a run of lm-eval itself. `dataset` must have the manifest's
// SHA-256. Throws InputError if the run lacks trials of its plan, or some failed.
LmEvalFiles export_lm_eval(const RunRecord& run, const Dataset& dataset, const std::filesystem::path& out,
                           std::uint32_t repeat = 0);

}  // namespace gpqa
