// Does the server obey a reasoning budget? It never says, so it is made to hit one.
#pragma once

#include <string>

#include "runners/remote/http_client.h"
#include "runners/sampling_config.h"

namespace gpqa {

struct BudgetProbe {
  enum class Verdict { obeyed, ignored, not_exercised };
  Verdict verdict = Verdict::not_exercised;
  std::string text;  // "cut at 16", ...
};

// A fixed prompt, greedy, with a budget of 16: exactly 16 tokens may stand between the tags of the thought.
// The model is asked to think by itself first; where it doesn't, a grammar over token ids opens the thought
// for it and keeps it open until the server closes it. `sampling` is the plan's.
BudgetProbe probe_budget(HttpClient& http, const SamplingConfig& sampling, const std::string& model_id);

}  // namespace gpqa
