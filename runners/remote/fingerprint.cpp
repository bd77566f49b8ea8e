#include "runners/remote/fingerprint.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/fingerprint_prompt.h"
#include "runners/remote/server_calls.h"
#include "runners/remote/wire_format.h"
#include "runners/sampling_config.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

Json request(const std::string& model_id) {
  Json body = {{"messages", user_message(kFingerprintPrompt)}, {"model", model_id}};
  // Whatever the server or the GGUF set as defaults.
  body["samplers"] = {"top_k", "temperature"};
  body["temperature"] = 0;
  body["top_k"] = 1;
  body["top_p"] = 1;
  body["min_p"] = 0;
  body["typical_p"] = 1;
  body["top_n_sigma"] = -1;
  body["xtc_probability"] = 0;
  body["dynatemp_range"] = 0;
  body["repeat_penalty"] = 1;
  body["presence_penalty"] = 0;
  body["frequency_penalty"] = 0;
  body["dry_multiplier"] = 0;
  body["mirostat"] = 0;
  body["seed"] = 1;
  body["max_tokens"] = kFingerprintTokens;
  body["chat_template_kwargs"] = {{"enable_thinking", false}};
  body["reasoning_format"] = "none";
  body["cache_prompt"] = false;
  body["logprobs"] = true;
  body["top_logprobs"] = kFingerprintTop;
  return body;
}

Json rounded(const Json& logprob) {
  constexpr double kSteps = 1e4;
  return logprob.is_number() ? Json(std::round(logprob.get<double>() * kSteps) / kSteps) : Json();
}

// The first of a list, however long a hostile one is.
template <class Visit>
void visit_first(const Json& list, std::size_t most, Visit&& visit) {
  for (std::size_t i = 0; list.is_array() && i < std::min(list.size(), most); ++i) {
    visit(list[i]);
  }
}

}  // namespace

Fingerprint take_fingerprint(HttpClient& http, const std::string& model_id) {
  const auto result = post_json(http, "/v1/chat/completions", request(model_id));
  Json print = {{"prompt", kFingerprintPrompt}, {"tokens", Json::array()}};
  if (result.json) {
    visit_first(member_of(*result.json, "choices"), 1, [&](const Json& choice) {
      visit_first(
          member_of(member_of(choice, "logprobs"), "content"), kFingerprintTokens, [&](const Json& token) {
            Json top = Json::array();
            visit_first(member_of(token, "top_logprobs"), kFingerprintTop, [&](const Json& candidate) {
              top.push_back(
                  Json::array({integer_of(candidate, "id"), rounded(member_of(candidate, "logprob"))}));
            });
            print["tokens"].push_back({{"id", integer_of(token, "id")}, {"top", std::move(top)}});
          });
    });
  }
  const Json& speed =
      result.json ? member_of(member_of(*result.json, "timings"), "predicted_per_second") : Json();
  const std::string error = !result.json
                                ? fmt::format("HTTP {}: {}", result.error.code, result.error.message)
                                : (print["tokens"].empty() ? "the server sends no log probabilities" : "");
  if (!error.empty()) {
    print = {{"error", error}};
  }
  return {.json = print.dump(-1, ' ', false, Json::error_handler_t::replace),
          .error = error,
          .tokens_per_s = speed.is_number() ? std::max(speed.get<double>(), 0.0) : 0};
}

}  // namespace gpqa
