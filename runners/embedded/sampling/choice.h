// The last of the chain: which candidate it is. Each has p of every candidate set when it has chosen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "runners/embedded/sampling/candidates.h"

namespace gpqa {

// By probability. One double is drawn for each token, also where there is but one candidate.
struct Dist {
  std::mt19937 random;
  std::size_t choose(Candidates& candidates);  // the place in the list
  void accept(int /*token*/) {}
};

// Mirostat 1 (https://arxiv.org/abs/2007.14966): keeps as many candidates as lets the surprise come to tau.
struct Mirostat1 {
  std::mt19937 random;
  float tau;
  float eta;
  float mu = 2 * tau;
  std::size_t choose(Candidates& candidates);
  void accept(int /*token*/) {}
};

// Mirostat 2: drops the candidates of more surprise than mu, which follows the surprise seen.
struct Mirostat2 {
  std::mt19937 random;
  float tau;
  float eta;
  float mu = 2 * tau;
  std::size_t choose(Candidates& candidates);
  void accept(int /*token*/) {}
};

// Prefers candidates whose probability is near a target that makes up for what was chosen before.
// target < 0: by probability, but with another draw than Dist's.
class AdaptiveP {
 public:
  AdaptiveP(std::uint32_t seed, float target, float decay);
  std::size_t choose(Candidates& candidates);
  void accept(int token);

 private:
  struct Pending {
    int token;
    float p;  // before the transformation
  };
  std::mt19937 random_;
  float target_;
  float decay_;
  float weighted_sum_;  // of the probabilities chosen, the older the less
  float total_weight_;
  std::vector<float> original_;
  std::optional<Pending> pending_;
};

}  // namespace gpqa
