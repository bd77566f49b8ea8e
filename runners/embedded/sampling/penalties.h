// Logits moved for single tokens: repetition, frequency and presence penalties.
#pragma once

#include <cstddef>
#include <unordered_map>

#include "runners/embedded/sampling/candidates.h"
#include "runners/embedded/sampling/recent_tokens.h"

namespace gpqa {

// For a token that stands n > 0 times among the last `last_n`, prompt included:
// logit = logit * repeat if logit <= 0, else logit / repeat; then logit -= n * frequency + presence
class Penalties {
 public:
  Penalties(std::size_t last_n, float repeat, float frequency, float presence)
      : recent_(last_n), repeat_(repeat), frequency_(frequency), presence_(presence) {}
  void accept(int token);
  void apply(Candidates& candidates) const;

 private:
  RecentTokens recent_;
  std::unordered_map<int, int> count_;  // of recent_
  float repeat_;
  float frequency_;
  float presence_;
};

}  // namespace gpqa
