#include "runners/remote/fingerprint.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/remote/server_calls.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kPrompt = "Name the first ten chemical elements, one a line.";
constexpr int kTokens = 32;
constexpr int kTop = 5;

double rounded(double logprob) {
  return std::round(logprob * 1000) / 1000;
}

}  // namespace

std::string fingerprint(HttpClient& http, const std::string& model_id) {
  // Greedy: nothing else of the chain can change the most likely token but what is neutral here.
  const Json body = {{"messages", Json::array({{{"role", "user"}, {"content", kPrompt}}})},
                     {"model", model_id},
                     {"temperature", 0},
                     {"top_k", 1},
                     {"repeat_penalty", 1.0},
                     {"presence_penalty", 0},
                     {"frequency_penalty", 0},
                     {"dry_multiplier", 0},
                     {"seed", 1},
                     {"max_tokens", kTokens},
                     {"chat_template_kwargs", {{"enable_thinking", false}}},
                     {"reasoning_format", "none"},
                     {"cache_prompt", false},
                     {"logprobs", true},
                     {"top_logprobs", kTop}};
  const auto result = post_json(http, "/v1/chat/completions", body);
  Json print;
  if (!result.json) {
    print["error"] = fmt::format("HTTP {}: {}", result.error.code, result.error.message);
    return print.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  print["prompt"] = kPrompt;
  print["tokens"] = Json::array();
  const Json& choices = member_of(*result.json, "choices");
  const Json& first = choices.is_array() && !choices.empty() ? choices.front() : Json();
  for (const Json& token : member_of(member_of(first, "logprobs"), "content")) {
    Json top = Json::array();
    for (const Json& candidate : member_of(token, "top_logprobs")) {
      const Json& logprob = member_of(candidate, "logprob");
      top.push_back(
          {integer_of(candidate, "id"), logprob.is_number() ? rounded(logprob.get<double>()) : 0.0});
    }
    print["tokens"].push_back({{"id", integer_of(token, "id")}, {"top", std::move(top)}});
  }
  return print.dump();
}

}  // namespace gpqa
