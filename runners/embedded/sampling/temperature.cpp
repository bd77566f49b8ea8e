#include "runners/embedded/sampling/temperature.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace gpqa {
namespace {

void leave_highest(Candidates& candidates) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  float highest = kNever;
  candidates.each_logit([&](float logit) { highest = std::max(highest, logit); });
  bool found = false;
  candidates.change_each("temperature", [&](float logit) {
    const bool first = !found && logit == highest;
    found = found || first;
    return first ? logit : kNever;
  });
}

void divide(Candidates& candidates, float temperature) {
  if (temperature <= 0) {
    leave_highest(candidates);
  } else {
    candidates.change_each("temperature", [=](float logit) { return logit / temperature; });
  }
}

// of the probabilities, as a part of what it is when all are equal
float relative_entropy(std::span<const Candidate> list) {
  float entropy = 0;
  for (const auto& candidate : list) {
    if (candidate.p > 0) entropy -= candidate.p * std::log(candidate.p);
  }
  return entropy / -std::log(1.0f / static_cast<float>(list.size()));
}

}  // namespace

void Temperature::apply(Candidates& candidates) const {
  if (!(range > 0)) {
    divide(candidates, value);
    return;
  }
  if (candidates.size() <= 1) return;
  softmax(candidates, true);
  const float least = std::max(0.0f, value - range);
  const float most = value + range;
  divide(candidates, least + (most - least) * std::pow(relative_entropy(candidates.list()), exponent));
  // llama-server renews the probabilities here; every sampler that reads them makes its own.
}

}  // namespace gpqa
