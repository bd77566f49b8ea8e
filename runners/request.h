// What a runner is given: one prompt, and the seed to sample its answer with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "prompts/trial.h"

namespace gpqa {

struct Request {
  TrialId id;
  std::string prompt;      // the user message; the runner applies the model's chat template
  std::uint32_t seed = 0;  // used as SamplingConfig::seed_rule says
};

// Asked whenever a slot is free, so a run can stop in sequence, grow or end early.
struct RequestSource {
  virtual ~RequestSource() = default;
  virtual std::optional<Request> next() = 0;
};

}  // namespace gpqa
