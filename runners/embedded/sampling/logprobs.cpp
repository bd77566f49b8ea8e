#include "runners/embedded/sampling/logprobs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runners/embedded/sampling/candidates.h"

namespace gpqa {

TopProbabilities top_probabilities(std::span<const float> logits, std::size_t n, int chosen) {
  Candidates candidates;
  candidates.assign(logits);
  const auto list = candidates.list();
  n = std::min(n, list.size());
  // The sum below is over the order in which this leaves them, as llama-server's is.
  std::partial_sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(n), list.end(),
                    [](const Candidate& a, const Candidate& b) { return a.logit > b.logit; });
  softmax(candidates, false);
  TopProbabilities probabilities;
  for (const auto& candidate : list.first(n)) {
    probabilities.top.push_back({.id = candidate.id, .p = candidate.p});
  }
  const auto it = std::find_if(list.begin(), list.end(),
                               [chosen](const Candidate& candidate) { return candidate.id == chosen; });
  probabilities.chosen = it != list.end() ? it->p : 0;
  return probabilities;
}

float logprob(float p) {
  return p == 0 ? std::numeric_limits<float>::lowest() : std::log(p);
}

}  // namespace gpqa
