// What the model itself gave each token, before any sampler.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace gpqa {

struct TokenProbability {
  int id = 0;
  float p = 0;
};

struct TopProbabilities {
  std::vector<TokenProbability> top;  // descending
  float chosen = 0;                   // of the token asked for
};

// The n most likely tokens by softmax over the whole vocabulary, and the chosen one, to the bit as
// llama-server adds it up (n_probs > 0). Throws BadLogits.
TopProbabilities top_probabilities(std::span<const float> logits, std::size_t n, int chosen);

// ln p; of p = 0 the lowest float, as llama-server reports it (JSON has no -inf).
float logprob(float p);

}  // namespace gpqa
