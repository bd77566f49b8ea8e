#include "runners/remote/http_client.h"

#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "runners/remote/curl_handle.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

struct Receiver {
  HttpResponse response;
  std::size_t max_bytes;
  std::size_t header_bytes = 0;
  bool too_long = false;

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) {
    auto& receiver = *static_cast<Receiver*>(self);
    if (receiver.response.body.size() + size * count > receiver.max_bytes) {
      receiver.too_long = true;
      return 0;
    }
    receiver.response.body.append(data, size * count);
    return size * count;
  }

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
    const std::string_view line(data, size * count);
    auto& receiver = *static_cast<Receiver*>(self);
    receiver.header_bytes += line.size();
    if (receiver.header_bytes > kMaxHeaderBytes) {
      receiver.too_long = true;
      return 0;
    }
    keep_header(receiver.response.headers, line);
    return size * count;
  }
};

// libcurl asks at least once a second.
int stop_asked(void* token, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::stop_token*>(token)->stop_requested() ? 1 : 0;
}

}  // namespace

struct HttpClient::Impl {
  HttpOptions options;
  std::string base;
  CurlEasy easy = make_easy();  // keeps its connection between calls

  HttpResponse call(const std::string& path, const std::string* body) {
    curl_easy_reset(easy.get());
    apply_common(easy.get(), options, base, path);
    curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(options.total_timeout_s * 1000));
    const auto headers = request_headers(options, body != nullptr);
    curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
    if (body != nullptr) {
      curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
      curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, body->data());
    }
    Receiver receiver{.response = {}, .max_bytes = options.max_body_bytes};
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &Receiver::on_body);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &receiver);
    curl_easy_setopt(easy.get(), CURLOPT_HEADERFUNCTION, &Receiver::on_header);
    curl_easy_setopt(easy.get(), CURLOPT_HEADERDATA, &receiver);
    curl_easy_setopt(easy.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy.get(), CURLOPT_XFERINFOFUNCTION, &stop_asked);
    curl_easy_setopt(easy.get(), CURLOPT_XFERINFODATA, &options.stop);
    std::array<char, CURL_ERROR_SIZE> details{};
    curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, details.data());

    const CURLcode code = curl_easy_perform(easy.get());
    curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, nullptr);
    if (receiver.too_long) {
      throw TransportError(fmt::format(
          "{}{}: an answer of more than {} bytes (or {} of headers); expected a small JSON document", base,
          path, options.max_body_bytes, kMaxHeaderBytes));
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
      throw Interrupted();
    }
    if (code != CURLE_OK) {
      throw TransportError(describe_failure(easy.get(), base, code, details.data()));
    }
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &receiver.response.status);
    hide_key(receiver.response.body, options.api_key);
    return std::move(receiver.response);
  }
};

HttpClient::HttpClient(HttpOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->base = base_url(options.url);
  impl_->options = std::move(options);
}

HttpClient::~HttpClient() = default;

HttpResponse HttpClient::get(const std::string& path) {
  return impl_->call(path, nullptr);
}

HttpResponse HttpClient::post_json(const std::string& path, const std::string& body) {
  return impl_->call(path, &body);
}

bool HttpClient::has_key() const {
  return !impl_->options.api_key.empty();
}

const std::string& HttpClient::url() const {
  return impl_->base;
}

}  // namespace gpqa
