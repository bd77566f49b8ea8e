#include "runners/remote/wire_format.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/utf8.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxMessageBytes = 500;
constexpr std::size_t kMaxTypeBytes = 60;
constexpr std::size_t kMaxValueBytes = 200;

std::string string_or(const Json& object, const char* key, std::string fallback) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::move(fallback);
}

bool contains_word(std::string_view text, std::string_view lower_case) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  return std::search(text.begin(), text.end(), lower_case.begin(), lower_case.end(), same) != text.end();
}

bool agree(const Json& asked, const Json& used) {
  if (asked.is_number_integer() && used.is_number_integer()) {
    return asked == used;  // a float32 can't tell neighbouring seeds apart
  }
  if (asked.is_number() && used.is_number()) {
    return static_cast<float>(asked.get<double>()) == static_cast<float>(used.get<double>());
  }
  return asked == used;
}

}  // namespace

Json sampling_fields(const SamplingConfig& sampling, std::uint32_t trial_seed) {
  Json fields;
  for_each_sampling_field(sampling, [&](const char* name, const auto& field) {
    if (field) {
      fields[name] = *field;
    }
  });
  fields["max_tokens"] = sampling.max_tokens;
  if (!sampling.stop.empty()) {
    fields["stop"] = sampling.stop;
  }
  switch (sampling.seed_rule) {
    case SeedRule::per_trial:
      fields["seed"] = trial_seed;
      break;
    case SeedRule::constant:
      fields["seed"] = sampling.constant_seed;
      break;
    case SeedRule::server:
      break;
  }
  if (sampling.thinking != Thinking::absent) {
    fields["chat_template_kwargs"]["enable_thinking"] = sampling.thinking == Thinking::required;
  }
  return fields;
}

Json user_message(std::string_view prompt) {
  return Json::array({{{"role", "user"}, {"content", prompt}}});
}

std::string chat_request(const Request& request, const SamplingConfig& sampling,
                         const std::string& model_id) {
  Json body;
  body["messages"] = user_message(request.prompt);
  body["model"] = model_id;
  body.update(sampling_fields(sampling, request.seed));
  body["stream"] = true;
  body["stream_options"]["include_usage"] = true;
  body["timings_per_token"] = true;  // predicted_n in every chunk: the exact count of reasoning tokens
  body["verbose"] = true;            // generation_settings in the last: what it sampled with
  return body.dump();
}

std::string readable(std::string_view text, std::size_t max_bytes) {
  std::string clean;
  bool full = false;
  each_character(text, [&](UChar32 code, std::string_view bytes) {
    const bool control = code >= 0 && (code < 0x20 || (code >= 0x7F && code < 0xA0));
    for (std::size_t left = code < 0 ? bytes.size() : 1; left > 0; --left) {  // an invalid part byte by byte
      const std::string_view shown = control ? " " : code < 0 ? "\uFFFD" : bytes;
      full = full || clean.size() + shown.size() > max_bytes;
      clean += full ? "" : shown;
    }
  });
  return clean;
}

std::optional<ServerError> parse_error(const Json& json) {
  const auto it = json.is_object() ? json.find("error") : json.end();
  if (!json.is_object() || it == json.end() || it->is_null()) {
    return std::nullopt;
  }
  if (!it->is_object()) {
    const std::string text = it->is_string() ? it->get<std::string>() : "an error without a message";
    return ServerError{.code = 0, .message = readable(text, kMaxMessageBytes), .type = ""};
  }
  ServerError error{.code = 0,
                    .message = string_or(*it, "message", "no message"),
                    .type = readable(string_or(*it, "type", ""), kMaxTypeBytes)};
  if (const auto code = it->find("code"); code != it->end() && code->is_number_integer()) {
    error.code = code->get<std::int64_t>();
  }
  if (const auto n = it->find("n_prompt_tokens"); n != it->end() && n->is_number()) {
    error.message += fmt::format(" (prompt of {} tokens)", n->dump());
  }
  error.message = readable(error.message, kMaxMessageBytes);
  return error;
}

ServerError error_of_body(long http_status, std::string_view body) {
  const auto json = Json::parse(body, nullptr, false);
  auto error = parse_error(json).value_or(
      ServerError{.code = 0, .message = readable(body, kMaxMessageBytes), .type = ""});
  error.code = http_status;
  return error;
}

ErrorClass classify(const ServerError& error) {
  if (contains_word(error.message, "does not match the expected") ||
      contains_word(error.message, "failed to parse input")) {
    // A 400 of these words would be about our own JSON.
    return error.code == 400 ? ErrorClass::ours : ErrorClass::lost_parse;
  }
  if (contains_word(error.message, "context size has been exceeded")) {
    return ErrorClass::context_pool;
  }
  constexpr std::array<std::int64_t, 3> kTransient4xx = {408, 425, 429};
  const bool client_error = error.code >= 400 && error.code < 500;
  if ((client_error &&
       std::find(kTransient4xx.begin(), kTransient4xx.end(), error.code) == kTransient4xx.end()) ||
      error.code == 501) {
    return ErrorClass::ours;
  }
  return ErrorClass::transient;
}

Json sampled_with(const Json& generation_settings) {
  Json used = Json::object();
  if (!generation_settings.is_object()) {
    return used;
  }
  const auto keep = [&](const char* name) {
    if (const auto it = generation_settings.find(name); it != generation_settings.end()) {
      used[name] = *it;
    }
  };
  const SamplingConfig names;
  for_each_sampling_field(names, [&](const char* name, const auto&) { keep(name); });
  for (const char* name : {"max_tokens", "stop", "seed", "logit_bias", "chat_format"}) {
    keep(name);
  }
  return used;
}

std::string sampling_mismatch(const Json& asked, const Json& used) {
  std::string text;
  for (const auto& [name, value] : asked.items()) {
    const auto it = used.find(name);
    if (it != used.end() && !agree(value, *it)) {
      text += fmt::format("{}{}: asked {}, used {}", text.empty() ? "" : "; ", name, value.dump(),
                          readable(it->dump(-1, ' ', false, Json::error_handler_t::replace), kMaxValueBytes));
    }
  }
  return text;
}

}  // namespace gpqa
