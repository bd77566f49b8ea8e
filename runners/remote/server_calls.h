// JSON calls to a server under audit, with what each refusal means.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "runners/remote/http_client.h"
#include "runners/remote/wire_format.h"

namespace gpqa {

// An answer to one call: a JSON document, or the server's error.
struct CallResult {
  std::optional<nlohmann::ordered_json> json;  // of a 200
  ServerError error;                           // else; code 404 = the server has no such endpoint

  bool missing() const { return !json && error.code == 404; }
};

// What is nested deeper than any of the server's answers is left out. Throws AuditRefused on a 401 or 403 (a
// key is wanted) and where a 200 holds no JSON; TransportError as HttpClient does.
CallResult get_json(HttpClient& http, const std::string& path);
CallResult post_json(HttpClient& http, const std::string& path, const nlohmann::ordered_json& body);

// Members of hostile documents: the fallback where there is none or it has another type.
std::string text_of(const nlohmann::ordered_json& object, const char* key);
std::int64_t integer_of(const nlohmann::ordered_json& object, const char* key);
const nlohmann::ordered_json& member_of(const nlohmann::ordered_json& object,
                                        const char* key);  // null if none

}  // namespace gpqa
