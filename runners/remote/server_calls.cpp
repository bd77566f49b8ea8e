#include "runners/remote/server_calls.h"

#include <fmt/format.h>

#include "runners/runner_errors.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 32;

CallResult read(const HttpClient& http, const std::string& path, const HttpResponse& response) {
  constexpr long kOk = 200;
  if (response.status == 401 || response.status == 403) {
    throw AuditRefused(
        http.has_key()
            ? fmt::format(
                  "{} refuses the key that was sent (HTTP {} on {}). Is the right one in the variable "
                  "that --api-key-env (or server.api_key_env in the plan) names?",
                  http.url(), response.status, path)
            : fmt::format(
                  "{} wants a key (HTTP {} on {}). Put it into an environment variable and name that: "
                  "--api-key-env NAME, or server.api_key_env in the plan",
                  http.url(), response.status, path));
  }
  if (response.status != kOk) {
    return {.json = std::nullopt, .error = error_of_body(response.status, response.body)};
  }
  // Depth is bounded here, since what handles a document later recurses.
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kMaxDepth; };
  Json json = Json::parse(response.body, shallow, false);
  if (json.is_discarded()) {
    throw AuditRefused(
        fmt::format("{}{} answers with something else than JSON. Is it a llama-server?", http.url(), path));
  }
  return {.json = std::move(json), .error = {}};
}

}  // namespace

CallResult get_json(HttpClient& http, const std::string& path) {
  return read(http, path, http.get(path));
}

CallResult post_json(HttpClient& http, const std::string& path, const Json& body) {
  return read(http, path, http.post_json(path, body.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

const Json& member_of(const Json& object, const char* key) {
  static const Json none;
  if (!object.is_object()) {
    return none;
  }
  const auto it = object.find(key);
  return it == object.end() ? none : *it;
}

std::string text_of(const Json& object, const char* key) {
  const Json& value = member_of(object, key);
  return value.is_string() ? value.get<std::string>() : "";
}

std::int64_t integer_of(const Json& object, const char* key) {
  const Json& value = member_of(object, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

}  // namespace gpqa
