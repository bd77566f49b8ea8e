// Does the server obey a reasoning budget? It never says, so it is made to hit one.
#pragma once

#include <optional>
#include <string>

#include "runners/remote/chat_templates.h"
#include "runners/remote/http_client.h"
#include "runners/sampling_config.h"

namespace gpqa {

struct BudgetProbe {
  enum class Verdict { obeyed, wrong, not_exercised };
  Verdict verdict = Verdict::not_exercised;
  std::string text;  // "cut at 16", ...
};

// A fixed prompt, greedy, with a budget of 16: exactly 16 tokens may stand between the tags of the thought
// (where the template opens it, what follows the tag in the prompt counts as the first). The model is asked
// to think by itself first. Where that doesn't hit the budget, a grammar opens the thought, keeps it to
// letters, and a bias keeps the model from closing it: then only the server can, and the verdict is sure for
// any model. `sampling` is the plan's, `view` what its template showed.
BudgetProbe probe_budget(HttpClient& http, const SamplingConfig& sampling, const std::string& model_id,
                         const ThinkingView& view);

}  // namespace gpqa
