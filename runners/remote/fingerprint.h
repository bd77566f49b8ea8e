// What a model says greedily to a fixed prompt: two servers with the same weights and build say the same.
#pragma once

#include <string>

#include "runners/remote/http_client.h"

namespace gpqa {

struct Fingerprint {
  // {"prompt", "tokens": [{"id", "top": [[id, logprob], ...]}, ...]}: log probabilities before any sampler,
  // rounded to 1e-4; null where the server gives none. {"error"} where it can't be taken.
  std::string json;
  std::string error;        // "" if it was taken
  double tokens_per_s = 0;  // while it was; 0 where the server doesn't say
};

// 32 tokens, the 5 likeliest at each place, with every sampler neutral and no prompt cache.
Fingerprint take_fingerprint(HttpClient& http, const std::string& model_id);

}  // namespace gpqa
