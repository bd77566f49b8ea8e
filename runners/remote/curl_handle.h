// libcurl's handles, owned; and the settings that every request of ours shares.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <curl/curl.h>

#include "runners/remote/http_client.h"

namespace gpqa {

// CURL and CURLM are both void to the compiler, so each has a deleter of its own.
template <auto Free>
struct CurlDelete {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using CurlEasy = std::unique_ptr<CURL, CurlDelete<&curl_easy_cleanup>>;
using CurlMulti = std::unique_ptr<CURLM, CurlDelete<&curl_multi_cleanup>>;
using CurlHeaders = std::unique_ptr<curl_slist, CurlDelete<&curl_slist_free_all>>;

void start_curl_once();  // throws std::runtime_error if libcurl can't

CurlEasy make_easy();    // throws std::runtime_error if libcurl can't
CurlMulti make_multi();  // likewise

// "http://HOST:PORT/v1/" and the like -> "http://HOST:PORT": people paste all kinds. Throws InputError.
std::string base_url(const std::string& url);

// Address, time-out of the connection, TLS verified, no redirects, no signals, no proxy for the loopback.
void apply_common(CURL* easy, const HttpOptions& options, const std::string& base, const std::string& path);
// "Authorization: Bearer" where there is a key, and the content type of a JSON body.
CurlHeaders request_headers(const HttpOptions& options, bool json_body);

// Takes the key out of what a server says, which is shown and kept: some repeat the key they refuse.
void hide_key(std::string& text, std::string_view key);

// Keeps "Name: value", the name in lower case; the last of its name counts. Other lines are no header.
void keep_header(std::map<std::string, std::string>& headers, std::string_view line);

// What a failed transfer means, in words: who didn't answer, why, what to look at.
std::string describe_failure(CURL* easy, const std::string& base, CURLcode code, const char* details,
                             std::string_view look_at =
                                 "Is llama-server running there? Does it listen on "
                                 "that address and port (--host, --port)?");

// libcurl keeps all headers of an answer; a server of ours sends a dozen.
constexpr std::size_t kMaxHeaderBytes = 256u << 10;

}  // namespace gpqa
