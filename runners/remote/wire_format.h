// llama-server's JSON, out and in (the contract: /v1/chat/completions of llama.cpp b11434).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "runners/request.h"
#include "runners/sampling_config.h"

namespace gpqa {

// The sampling fields as they are sent: only those that have a value; the seed by its rule; thinking as a
// template argument.
nlohmann::ordered_json sampling_fields(const SamplingConfig& sampling, std::uint32_t trial_seed);

// "messages" of one turn of the user's.
nlohmann::ordered_json user_message(std::string_view prompt);

// A streamed chat request, with what makes the server say how it sampled and how many tokens it made.
std::string chat_request(const Request& request, const SamplingConfig& sampling, const std::string& model_id);

// {"error": {"code", "message", "type"}}, as a body or an event.
struct ServerError {
  std::int64_t code = 0;  // HTTP's
  std::string message;
  std::string type;
};
std::optional<ServerError> parse_error(const nlohmann::ordered_json& json);
// Of a body that may be anything: a text without JSON is its own message, cut short.
ServerError error_of_body(long http_status, std::string_view body);

// A server's text as people may be shown it: valid UTF-8 without control characters, cut at a character.
std::string readable(std::string_view text, std::size_t max_bytes);

// What an error is to a run.
enum class ErrorClass {
  lost_parse,    // the model's own doing: the server could not parse what it wrote
  context_pool,  // the slots' shared context ran full: again, with fewer at a time
  transient,     // again, after a while
  ours,          // our request is wrong: no further answer could be right
};
ErrorClass classify(const ServerError& error);

// The fields of `generation_settings` that say how it sampled, under the names of for_each_sampling_field,
// with seed, max_tokens and stop.
nlohmann::ordered_json sampled_with(const nlohmann::ordered_json& generation_settings);
// Where that differs from what was asked, in words; "" if nowhere. Fields that the server doesn't report
// (the budget, cache_prompt) are not compared. Numbers agree if they round to the same float32.
std::string sampling_mismatch(const nlohmann::ordered_json& asked, const nlohmann::ordered_json& used);

}  // namespace gpqa
