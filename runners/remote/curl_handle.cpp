#include "runners/remote/curl_handle.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/remote/url.h"
#include "runners/remote/wire_format.h"

namespace gpqa {
void start_curl_once() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_ALL);
  if (started != CURLE_OK) {
    throw std::runtime_error(fmt::format("libcurl can't start: {}", curl_easy_strerror(started)));
  }
}

CurlEasy make_easy() {
  start_curl_once();
  CurlEasy easy(curl_easy_init());
  if (!easy) {
    throw std::runtime_error("libcurl can't make a handle");
  }
  return easy;
}

CurlMulti make_multi() {
  start_curl_once();
  CurlMulti multi(curl_multi_init());
  if (!multi) {
    throw std::runtime_error("libcurl can't make a handle");
  }
  return multi;
}

std::string base_url(const std::string& url) {
  const auto parsed = parse_url(url);
  if (!parsed) {
    throw InputError(
        fmt::format("server \"{}\": not an address; expected something like http://127.0.0.1:8099", url));
  }
  if (!parsed->user.empty() || !parsed->password.empty()) {
    throw InputError(
        "server: a user or password in the address would end up in records; give a key by --api-key-env");
  }
  std::string path = parsed->path;
  for (const std::string_view tail : {"/", "/chat/completions", "/v1", "/"}) {
    if (path.ends_with(tail)) {
      path.resize(path.size() - tail.size());
    }
  }
  return parsed->scheme + "://" + parsed->host + (parsed->port.empty() ? "" : ":" + parsed->port) + path;
}

void apply_common(CURL* easy, const HttpOptions& options, const std::string& base, const std::string& path) {
  const std::string url = base + path;
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_s * 1000));
  const auto parsed = parse_url(base);
  if (parsed && is_loopback(parsed->host)) {
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
  }
}

CurlHeaders request_headers(const HttpOptions& options, bool json_body) {
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
  if (std::any_of(options.api_key.begin(), options.api_key.end(), control)) {
    throw InputError("the API key holds a line break or another control character; a header can't");
  }
  curl_slist* list = nullptr;
  if (json_body) {
    list = curl_slist_append(list, "Content-Type: application/json");
    list = curl_slist_append(list, "Expect:");  // no wait for a 100 Continue
  }
  if (!options.api_key.empty()) {
    list = curl_slist_append(list, ("Authorization: Bearer " + options.api_key).c_str());
  }
  return CurlHeaders(list);
}

void hide_key(std::string& text, std::string_view key) {
  constexpr std::string_view kShown = "[API key]";
  constexpr std::size_t kShortest = 6;  // one that is shorter is no secret, and could be part of any word
  if (key.size() < kShortest) {
    return;
  }
  for (auto at = text.find(key); at != std::string::npos; at = text.find(key, at + kShown.size())) {
    text.replace(at, key.size(), kShown);
  }
}

void keep_header(std::map<std::string, std::string>& headers, std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) {
    return;
  }
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto begin = std::min(line.find_first_not_of(" \t", colon + 1), line.size());
  const auto end = line.find_last_not_of(" \t\r\n");
  headers[std::move(name)] =
      end == std::string_view::npos || end < begin ? "" : std::string(line.substr(begin, end - begin + 1));
}

std::string describe_failure(CURL* easy, const std::string& base, CURLcode code, const char* details,
                             std::string_view look_at) {
  const std::string why = readable(*details != '\0' ? details : curl_easy_strerror(code), 300);
  switch (code) {
    case CURLE_COULDNT_CONNECT: {
      long os_error = 0;
      curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
      const std::string reason = os_error == ECONNREFUSED ? "connection refused" : why;
      return fmt::format("no answer from {}: {}. {}", base, reason, look_at);
    }
    case CURLE_COULDNT_RESOLVE_HOST:
      return fmt::format("{}: {}. Is the name right?", base, why);
    case CURLE_PEER_FAILED_VERIFICATION:
      return fmt::format("{}: the server's certificate is not trusted: {}", base, why);
    case CURLE_SSL_CONNECT_ERROR:
      return fmt::format("{}: no TLS there: {}. Is it an http:// server?", base, why);
    case CURLE_OPERATION_TIMEDOUT:
      return fmt::format("no answer from {} in time: {}", base, why);
    default:
      return fmt::format("{}: {}", base, why);
  }
}

}  // namespace gpqa
