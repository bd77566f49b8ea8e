#include "runners/remote/chat_transfer.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace gpqa {
namespace {

constexpr std::size_t kMaxErrorBody = 64u << 10;
constexpr long kHttpOk = 200;

// Seconds. A date, the header's other form, is left to our own delays.
std::optional<double> retry_after(std::string_view header_line) {
  constexpr std::string_view kName = "retry-after:";
  const auto same = [](char name, char c) { return name == std::tolower(static_cast<unsigned char>(c)); };
  if (header_line.size() < kName.size() ||
      !std::equal(kName.begin(), kName.end(), header_line.begin(), same)) {
    return std::nullopt;
  }
  header_line.remove_prefix(kName.size());
  header_line.remove_prefix(std::min(header_line.find_first_not_of(" \t"), header_line.size()));
  double seconds = 0;
  const auto [end, error] =
      std::from_chars(header_line.data(), header_line.data() + header_line.size(), seconds);
  const bool usable = error == std::errc() && std::isfinite(seconds) && seconds >= 0;
  return usable ? std::optional(seconds) : std::nullopt;
}

}  // namespace

ChatTransfer::ChatTransfer(const HttpOptions& http, const std::string& base, const std::string& body,
                           AnswerBounds bounds, OnText on_text)
    : headers_(request_headers(http, true)),
      key_(http.api_key),
      base_(base),
      bounds_(bounds),
      on_text_(std::move(on_text)) {
  apply_common(easy(), http, base, "/v1/chat/completions");
  curl_easy_setopt(easy(), CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(easy(), CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(easy(), CURLOPT_WRITEFUNCTION, &on_bytes);
  curl_easy_setopt(easy(), CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy(), CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(easy(), CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy(), CURLOPT_ERRORBUFFER, details_.data());
  curl_easy_setopt(easy(), CURLOPT_PRIVATE, this);
}

std::size_t ChatTransfer::on_bytes(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<ChatTransfer*>(self);
  try {
    return transfer.read({data, size * count}) ? size * count : 0;
  } catch (...) {  // must not pass through libcurl
    transfer.thrown_ = std::current_exception();
    return 0;
  }
}

std::size_t ChatTransfer::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<ChatTransfer*>(self);
  transfer.header_bytes_ += size * count;
  if (transfer.header_bytes_ > kMaxHeaderBytes) {
    return 0;
  }
  if (const auto seconds = retry_after({data, size * count})) {
    transfer.retry_after_s_ = seconds;
  }
  return size * count;
}

long ChatTransfer::status() const {
  long status = 0;
  curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

bool ChatTransfer::is_event_stream() const {
  const char* type = nullptr;
  curl_easy_getinfo(easy(), CURLINFO_CONTENT_TYPE, &type);
  return status() == kHttpOk && type != nullptr && std::string_view(type).starts_with("text/event-stream");
}

bool ChatTransfer::read(std::string_view bytes) {
  if (!first_byte_seen_) {
    first_byte_seen_ = true;
    last_progress_ = Clock::now();
    queued_ms_ = std::chrono::duration<double, std::milli>(last_progress_ - started_).count();
  }
  if (is_event_stream()) {
    return read_events(bytes);
  }
  error_body_.append(bytes.substr(0, kMaxErrorBody - error_body_.size()));
  return error_body_.size() < kMaxErrorBody;
}

bool ChatTransfer::read_events(std::string_view bytes) {
  if (answered()) {
    return false;  // nothing may follow
  }
  try {
    sse_.feed(bytes, [this](std::string_view event) {
      last_progress_ = Clock::now();
      answer_.add(event, on_text_);
      return within_bounds() && !answer_.error() && !answer_.done();
    });
  } catch (const SseError& error) {
    fault_ = error.what();
  } catch (const StreamError& error) {
    fault_ = error.what();
  }
  return fault_.empty();
}

bool ChatTransfer::within_bounds() {
  constexpr std::int64_t kSlack = 16;
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  const std::int64_t max_tokens = std::min(bounds_.max_tokens, kMost);
  if (answer_.tokens_so_far() > max_tokens + max_tokens / 10 + kSlack) {
    fault_ = fmt::format("the stream went on past max_tokens = {} by more than a tenth", max_tokens);
  } else if (answer_.text_bytes() > bounds_.max_bytes) {
    fault_ = fmt::format("an answer of more than {} bytes", bounds_.max_bytes);
  }
  hopeless_ = !fault_.empty();
  return fault_.empty();
}

ChatTransfer::Result ChatTransfer::result(CURLcode code) const {
  if (thrown_) {
    std::rethrow_exception(thrown_);
  }
  const auto fault = [&](std::string why) {
    return Result{.end = End::fault,
                  .why = std::move(why),
                  .error = {},
                  .retry_after_s = retry_after_s_,
                  .reached = header_bytes_ > 0};
  };
  const auto error = [&](End end, ServerError server_error) {
    hide_key(server_error.message, key_);
    return Result{.end = end,
                  .why = "",
                  .error = std::move(server_error),
                  .retry_after_s = retry_after_s_,
                  .reached = true};
  };
  if (!fault_.empty()) {
    Result result = fault(fault_);
    result.end = hopeless_ ? End::hopeless : End::fault;
    return result;
  }
  if (answer_.error()) {
    return error(End::error, *answer_.error());
  }
  if (answered()) {
    return Result{.end = End::answer, .why = "", .error = {}, .retry_after_s = {}, .reached = true};
  }
  if (header_bytes_ > kMaxHeaderBytes) {
    return fault("headers without an end");
  }
  // An error page that goes on and on is closed (a write error); its beginning tells enough.
  if (code != CURLE_OK && error_body_.size() < kMaxErrorBody) {
    return fault(describe_failure(easy(), base_, code, details_.data()));
  }
  if (is_event_stream()) {
    return fault(sse_.inside_event() ? "the stream ended inside an event"
                                     : "the stream ended before the answer did");
  }
  if (status() == kHttpOk) {
    return fault("not a stream of events; is there something between us and llama-server?");
  }
  const bool redirect = status() >= 300 && status() < 400;
  return error(redirect ? End::redirected : End::error, error_of_body(status(), error_body_));
}

}  // namespace gpqa
