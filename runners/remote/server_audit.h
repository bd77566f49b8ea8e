// Asks a llama-server, before the first question, everything that could spoil or change a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "runners/remote/http_client.h"
#include "runners/runner.h"
#include "runners/sampling_config.h"

namespace gpqa {

struct AuditPlan {
  SamplingConfig sampling;
  std::string longest_prompt;                       // of the plan: with max_tokens it must fit a slot
  std::int64_t wanted_concurrency = 0;              // 0: as many as slots and context allow
  std::optional<std::int64_t> declared_pool;        // the plan's word that the slots' contexts add up to more
  std::optional<std::filesystem::path> model_file;  // the GGUF that should be served
  bool force_template = false;                      // go on with a template we don't know
  double load_timeout_s = 600;                      // how long "Loading model" (503) is waited for
  std::stop_token stop = {};                        // ends that wait with Interrupted
};

// Returns what goes into the manifest. Throws AuditRefused (with every reason at once, each saying what to
// change) or TransportError. `say` hears progress in words ("loading model ...", "probing the reasoning
// budget").
RunnerInfo audit_server(HttpClient& http, const AuditPlan& plan,
                        const std::function<void(std::string_view)>& say);

// DESIGN rule 5: min(slots, floor(pool / (prompt + max_tokens))), pool = one slot's context unless declared;
// 0 = doesn't fit.
std::int64_t safe_concurrency(std::int64_t slots, std::int64_t pool, std::int64_t prompt_tokens,
                              std::int64_t max_tokens);

}  // namespace gpqa
