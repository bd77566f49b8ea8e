// Which candidates may stay: top-n-sigma, top-k, locally typical, top-p, min-p, XTC.
//
// Each does what llama-server's does, in float and in its order of additions, so that the same ones stay.
#pragma once

#include <cstddef>
#include <random>

#include "runners/embedded/sampling/candidates.h"

namespace gpqa {

// Logits below max - n * (standard deviation of those that aren't -inf) become -inf.
struct TopNSigma {
  float n;
  void apply(Candidates& candidates) const;
};

struct TopK {
  std::size_t k;
  void apply(Candidates& candidates) const { candidates.keep_best(k); }
};

// The fewest candidates whose probabilities sum to more than p, taken by how near their surprise is to the
// entropy.
struct Typical {
  float p;
  std::size_t min_keep;
  void apply(Candidates& candidates) const;
};

// The fewest of the most likely whose probabilities sum to at least p: the one that reaches it stays.
struct TopP {
  float p;
  std::size_t min_keep;
  void apply(Candidates& candidates) const;
};

// Those at least p times as likely as the most likely.
struct MinP {
  float p;
  std::size_t min_keep;
  void apply(Candidates& candidates) const;
};

// With a probability, drops all of the most likely but the least of those that reach the threshold.
struct Xtc {
  float probability;
  float threshold;
  std::size_t min_keep;
  std::mt19937 random;  // its own: the last draw's isn't touched
  void apply(Candidates& candidates);
};

}  // namespace gpqa
