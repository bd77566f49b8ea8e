#include "runners/remote/url.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <stdexcept>

#include "runners/remote/curl_handle.h"

namespace gpqa {
namespace {

using CurlUrl = std::unique_ptr<CURLU, CurlDelete<&curl_url_cleanup>>;

std::string part(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, 0) != CURLUE_OK) {
    return "";
  }
  std::string copy = text;
  curl_free(text);
  return copy;
}

}  // namespace

std::string Url::origin() const {
  return scheme + "://" + host + ":" + (!port.empty() ? port : scheme == "https" ? "443" : "80");
}

std::optional<Url> parse_url(const std::string& text) {
  start_curl_once();
  const CurlUrl parsed(curl_url());
  if (curl_url_set(parsed.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return std::nullopt;
  }
  Url url{.scheme = part(parsed.get(), CURLUPART_SCHEME),
          .user = part(parsed.get(), CURLUPART_USER),
          .password = part(parsed.get(), CURLUPART_PASSWORD),
          .host = part(parsed.get(), CURLUPART_HOST),
          .port = part(parsed.get(), CURLUPART_PORT),
          .path = part(parsed.get(), CURLUPART_PATH),
          .query = part(parsed.get(), CURLUPART_QUERY),
          .fragment = part(parsed.get(), CURLUPART_FRAGMENT)};
  std::transform(url.host.begin(), url.host.end(), url.host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (url.scheme != "http" && url.scheme != "https") {
    return std::nullopt;
  }
  return url;
}

std::string resolve_url(const std::string& base, const std::string& location) {
  start_curl_once();
  const CurlUrl parsed(curl_url());
  if (location.empty() || curl_url_set(parsed.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK ||
      curl_url_set(parsed.get(), CURLUPART_URL, location.c_str(), 0) != CURLUE_OK) {
    return "";
  }
  return part(parsed.get(), CURLUPART_URL);
}

std::string escape_segment(const std::string& text) {
  char* escaped = curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
  if (escaped == nullptr) {
    throw std::runtime_error("libcurl can't escape a part of an address");
  }
  std::string copy = escaped;
  curl_free(escaped);
  return copy;
}

// A name like "127.example.org" is not: only what is an address by its form.
bool is_loopback(std::string_view host) {
  in_addr address{};
  const bool numbers = inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
  return host == "localhost" || host == "[::1]" || (numbers && (ntohl(address.s_addr) >> 24) == 127);
}

}  // namespace gpqa
