// DRY ("don't repeat yourself"): a token that would go on with a repetition is the less likely the longer
// that is.
#pragma once

#include <cstddef>
#include <memory>
#include <unordered_map>
#include <vector>

#include "runners/embedded/sampling/candidates.h"
#include "runners/embedded/sampling/dry_breakers.h"
#include "runners/embedded/sampling/recent_tokens.h"

namespace gpqa {

// A token t that followed an earlier occurrence of the last m tokens, m >= allowed_length the longest such:
// logit(t) -= multiplier * base^(m - allowed_length)
// Among the last `last_n` tokens, prompt included; m doesn't reach over a breaker; breakers go unpunished.
class Dry {
 public:
  Dry(std::size_t last_n, float multiplier, float base, int allowed_length,
      std::shared_ptr<const DryBreakers> breakers);
  void accept(int token) { recent_.push(token); }
  void apply(Candidates& candidates);

 private:
  bool find_repeats();
  float penalty(std::size_t repeated) const;

  RecentTokens recent_;
  float multiplier_;
  float base_;
  std::size_t allowed_length_;
  int max_exponent_;  // 0: no bound
  std::shared_ptr<const DryBreakers> breakers_;
  std::vector<std::size_t> repeated_;  // [k]: of the last tokens, how many stand k places earlier too
  std::unordered_map<int, std::size_t> longest_;  // by the token that would go on with it
};

}  // namespace gpqa
