// Logits divided by the temperature.
#pragma once

#include "runners/embedded/sampling/candidates.h"

namespace gpqa {

// range > 0: the temperature is taken between value - range and value + range, by (entropy / its
// maximum)^exponent. A temperature <= 0 leaves the highest logit, the first of equals, and makes all others
// -inf.
struct Temperature {
  float value;
  float range = 0;
  float exponent = 1;
  void apply(Candidates& candidates) const;
};

}  // namespace gpqa
