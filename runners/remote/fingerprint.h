// What a model says greedily to a fixed prompt: two servers with the same weights and build say the same.
#pragma once

#include <string>

#include "runners/remote/http_client.h"

namespace gpqa {

// JSON: {"prompt", "tokens": [{"id", "top": [[id, logprob], ...]}, ...]}, log probabilities before any
// sampler, rounded to 1e-3 so that noise of the last digits doesn't show. Where the server can't say:
// {"error"}.
std::string fingerprint(HttpClient& http, const std::string& model_id);

}  // namespace gpqa
