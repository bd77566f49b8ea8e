// Plain HTTP calls to a server, for everything but the streamed answers.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>

namespace gpqa {

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// No answer at all: refused, reset, timed out, TLS not verified, body over the limit. Says which address and
// why.
class TransportError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct HttpOptions {
  std::string url;      // base, e.g. "http://127.0.0.1:8099"; a path in it is kept as a prefix
  std::string api_key;  // sent as "Authorization: Bearer", never shown; "": none
  double connect_timeout_s = 10;
  double total_timeout_s = 120;
  std::size_t max_body_bytes = 64u << 20;
  std::stop_token stop = {};  // ends a call of HttpClient with Interrupted
};

class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);  // throws InputError for a URL that is none
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpResponse get(const std::string& path);
  HttpResponse post_json(const std::string& path, const std::string& body);
  const std::string& url() const;
  bool has_key() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpqa
