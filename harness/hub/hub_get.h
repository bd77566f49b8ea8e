// One GET of one address: no redirect is followed, nothing is tried again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "runners/remote/curl_handle.h"

namespace gpqa {

struct HubGet {
  std::string url;
  std::string token;  // "": none is sent
  std::uint64_t offset = 0;
  std::string if_range;  // with an offset: the ETag for which it holds
  double connect_timeout_s = 20;
  double stall_s = 60;  // without a byte
};

struct HubResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  bool headers_whole = false;
  double retry_after_s = 0;  // as the server asks, 0 if it doesn't
  std::string broken;        // why the transfer ended early; "": it didn't
  bool hopeless = false;     // broken, and would be again: the certificate

  std::string header(const std::string& name) const;
  std::optional<std::uint64_t> number(const std::string& name) const;
};

// `on_body` gets the pieces of a 200 or 206, and stops the transfer by false; other bodies are dropped. What
// it throws comes out here.
using OnBody = std::function<bool(const HubResponse&, std::string_view)>;
HubResponse hub_get(CURL* easy, const HubGet& get, const OnBody& on_body);

}  // namespace gpqa
