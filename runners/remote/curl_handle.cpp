#include "runners/remote/curl_handle.h"

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/remote/wire_format.h"

namespace gpqa {
namespace {

using CurlUrl = std::unique_ptr<CURLU, CurlDelete<&curl_url_cleanup>>;

void start_curl_once() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_ALL);
  if (started != CURLE_OK) {
    throw std::runtime_error(fmt::format("libcurl can't start: {}", curl_easy_strerror(started)));
  }
}

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) {
    return "";
  }
  std::string copy = text;
  curl_free(text);
  return copy;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

}  // namespace

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
  start_curl_once();
  const CurlUrl parsed(curl_url());
  const bool ok = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK;
  const std::string scheme = ok ? url_part(parsed.get(), CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https") {
    throw InputError(
        fmt::format("server \"{}\": not an address; expected something like http://127.0.0.1:8099", url));
  }
  if (!url_part(parsed.get(), CURLUPART_USER).empty() ||
      !url_part(parsed.get(), CURLUPART_PASSWORD).empty()) {
    throw InputError(
        "server: a user or password in the address would end up in records; give a key by --api-key-env");
  }
  std::string path = url_part(parsed.get(), CURLUPART_PATH);
  for (const std::string_view tail : {"/", "/chat/completions", "/v1", "/"}) {
    if (path.ends_with(tail)) {
      path.resize(path.size() - tail.size());
    }
  }
  const std::string port = url_part(parsed.get(), CURLUPART_PORT);
  return scheme + "://" + url_part(parsed.get(), CURLUPART_HOST) + (port.empty() ? "" : ":" + port) + path;
}

void apply_common(CURL* easy, const HttpOptions& options, const std::string& base, const std::string& path) {
  const std::string url = base + path;
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_s * 1000));
  const CurlUrl parsed(curl_url());
  curl_url_set(parsed.get(), CURLUPART_URL, base.c_str(), 0);
  if (is_loopback(url_part(parsed.get(), CURLUPART_HOST))) {
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

std::string describe_failure(CURL* easy, const std::string& base, CURLcode code, const char* details) {
  const std::string why = readable(*details != '\0' ? details : curl_easy_strerror(code), 300);
  switch (code) {
    case CURLE_COULDNT_CONNECT: {
      long os_error = 0;
      curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
      const std::string reason = os_error == ECONNREFUSED ? "connection refused" : why;
      return fmt::format(
          "no answer from {}: {}. Is llama-server running there? Does it listen on that address "
          "and port (--host, --port)?",
          base, reason);
    }
    case CURLE_COULDNT_RESOLVE_HOST:
      return fmt::format("{}: {}. Is the name right?", base, why);
    case CURLE_PEER_FAILED_VERIFICATION:
      return fmt::format("{}: the server's certificate is not trusted: {}", base, why);
    case CURLE_OPERATION_TIMEDOUT:
      return fmt::format("no answer from {} in time: {}", base, why);
    default:
      return fmt::format("{}: {}", base, why);
  }
}

}  // namespace gpqa
