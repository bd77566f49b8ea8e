// One attempt at one answer: a transfer of libcurl's, what it has brought so far, and what that means once it
// is over.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "runners/remote/curl_handle.h"
#include "runners/remote/sse_reader.h"
#include "runners/remote/streamed_answer.h"

namespace gpqa {

// Beyond these a stream is endless, not long.
struct AnswerBounds {
  std::int64_t max_tokens = 0;
  std::size_t max_bytes = 0;  // of text
};

class ChatTransfer {
 public:
  using Clock = std::chrono::steady_clock;
  using OnText = std::function<void(std::string_view)>;

  // `body` is sent from where it lies, so it must outlive the transfer.
  ChatTransfer(const HttpOptions& http, const std::string& base, const std::string& body, AnswerBounds bounds,
               OnText on_text);
  ChatTransfer(const ChatTransfer&) = delete;
  ChatTransfer& operator=(const ChatTransfer&) = delete;

  CURL* easy() const { return easy_.get(); }
  Clock::time_point started() const { return started_; }
  // An event, or the first byte. A ping only says that the server's HTTP thread lives, so it doesn't count.
  Clock::time_point last_progress() const { return last_progress_; }
  double queued_ms() const { return queued_ms_; }
  // The answer is whole; what becomes of the connection no longer matters.
  bool answered() const { return answer_.done() && answer_.has_finish_reason() && fault_.empty(); }
  StreamedAnswer take_answer() { return std::move(answer_); }

  enum class End {
    answer,     // whole
    fault,      // of the transport: to be tried again
    hopeless,   // would only come again
    error,      // the server's, in its words
    redirected  // not llama-server's doing
  };
  struct Result {
    End end = End::fault;
    std::string why;    // of fault and hopeless
    ServerError error;  // of error and redirected
    std::optional<double> retry_after_s;
    bool reached = true;  // false: not a byte came back
  };
  // What it came to, once libcurl is done with it. Rethrows what on_text threw.
  Result result(CURLcode code) const;

 private:
  static std::size_t on_bytes(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  bool read(std::string_view bytes);  // false closes the transfer
  bool read_events(std::string_view bytes);
  bool within_bounds();
  long status() const;
  bool is_event_stream() const;

  CurlEasy easy_ = make_easy();
  CurlHeaders headers_;
  std::array<char, CURL_ERROR_SIZE> details_{};
  std::string key_;  // not to be shown
  std::string base_;
  AnswerBounds bounds_;
  OnText on_text_;
  Clock::time_point started_ = Clock::now();
  Clock::time_point last_progress_ = started_;
  bool first_byte_seen_ = false;
  double queued_ms_ = 0;
  std::optional<double> retry_after_s_;
  std::size_t header_bytes_ = 0;
  SseReader sse_;
  StreamedAnswer answer_;
  std::string error_body_;
  std::string fault_;  // why we closed it ourselves; "" if we didn't
  bool hopeless_ = false;
  std::exception_ptr thrown_;
};

}  // namespace gpqa
