#include "harness/hub/hub_get.h"

#include <array>
#include <charconv>
#include <exception>

#include <fmt/format.h>

#include "runners/remote/url.h"

namespace gpqa {
namespace {

constexpr std::size_t kMaxDroppedBytes = 1u << 20;

struct Receiver {
  CURL* easy;
  const OnBody& on_body;
  HubResponse response{};
  std::size_t header_bytes = 0;
  std::size_t dropped = 0;
  std::exception_ptr thrown{};

  static std::size_t on_piece(char* data, std::size_t size, std::size_t count, void* self) {
    auto& receiver = *static_cast<Receiver*>(self);
    const std::size_t bytes = size * count;
    if (receiver.response.status != 200 && receiver.response.status != 206) {
      receiver.dropped += bytes;
      return receiver.dropped <= kMaxDroppedBytes ? bytes : 0;
    }
    try {
      return receiver.on_body(receiver.response, {data, bytes}) ? bytes : 0;
    } catch (...) {  // libcurl is C
      receiver.thrown = std::current_exception();
      return 0;
    }
  }

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
    auto& receiver = *static_cast<Receiver*>(self);
    const std::string_view line(data, size * count);
    receiver.header_bytes += line.size();
    if (receiver.header_bytes > kMaxHeaderBytes) return 0;
    auto& response = receiver.response;
    // A 100 Continue may come before the answer itself, and trailers behind it.
    if (line.starts_with("HTTP/")) response = {};
    if (response.headers_whole) return line.size();
    keep_header(response.headers, line);
    curl_easy_getinfo(receiver.easy, CURLINFO_RESPONSE_CODE, &response.status);
    response.headers_whole = line == "\r\n" || line == "\n";
    return line.size();
  }
};

CurlHeaders headers_of(const HubGet& get) {
  curl_slist* list = nullptr;
  if (!get.token.empty()) list = curl_slist_append(list, ("Authorization: Bearer " + get.token).c_str());
  if (get.offset > 0) {
    list = curl_slist_append(list, fmt::format("Range: bytes={}-", get.offset).c_str());
    list = curl_slist_append(list, ("If-Range: " + get.if_range).c_str());
  }
  return CurlHeaders(list);
}

}  // namespace

std::string HubResponse::header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? "" : it->second;
}

std::optional<std::uint64_t> HubResponse::number(const std::string& name) const {
  const std::string text = header(name);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

HubResponse hub_get(CURL* easy, const HubGet& get, const OnBody& on_body) {
  curl_easy_reset(easy);
  apply_common(easy, {.url = "", .api_key = "", .connect_timeout_s = get.connect_timeout_s}, get.url, "");
  const auto headers = headers_of(get);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "gpqa/" GPQA_VERSION);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(get.stall_s));
  Receiver receiver{.easy = easy, .on_body = on_body};
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Receiver::on_piece);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &receiver);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Receiver::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &receiver);
  std::array<char, CURL_ERROR_SIZE> details{};
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, details.data());

  const CURLcode code = curl_easy_perform(easy);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
  if (receiver.thrown) std::rethrow_exception(receiver.thrown);
  curl_off_t wait = 0;
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait);
  receiver.response.retry_after_s = static_cast<double>(wait);
  if (code != CURLE_OK) {
    // Without path and query: a signed address is a key.
    const auto url = parse_url(get.url);
    receiver.response.broken =
        describe_failure(easy, url ? url->origin() : "the hub", code, details.data(),
                         "Is this machine online? Does it need a proxy (HTTPS_PROXY)?");
    receiver.response.hopeless = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
                                 code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
  }
  return std::move(receiver.response);
}

}  // namespace gpqa
