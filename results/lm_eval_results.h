// The content of lm-eval's results_*.json.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "results/run_record.h"

namespace gpqa {

// lm-eval's generation_kwargs: what its task file says, then each field that was sent and that lm-eval would
// not have sent unasked. `seed` of a request where every trial has its own.
nlohmann::ordered_json lm_eval_generation_kwargs(const SamplingConfig& sampling,
                                                 std::optional<std::uint32_t> seed = std::nullopt);

struct LmEvalScores {
  std::vector<double> strict;  // exact_match of each document
  std::vector<double> flexible;
  std::string task_hash;  // over the document, prompt and target hashes of all samples
};
nlohmann::ordered_json lm_eval_results(const Manifest& manifest, const LmEvalScores& scores);

// A name as lm-eval makes it fit for a path: no folder, no wildcard.
std::string lm_eval_sanitized(std::string_view model_name);

}  // namespace gpqa
