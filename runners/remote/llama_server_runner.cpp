#include "runners/remote/llama_server_runner.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <functional>
#include <list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/remote/curl_handle.h"
#include "runners/remote/sse_reader.h"
#include "runners/remote/streamed_answer.h"
#include "runners/remote/wire_format.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kMaxErrorBody = 64 * 1024;
constexpr long kHttpOk = 200;

double ms_since(Clock::time_point start) {
  return Seconds(Clock::now() - start).count() * 1000;
}

// Delays grow twofold and are spread by up to a half, the same each time for the same trial and attempt.
double retry_delay(const RetryPolicy& policy, TrialId id, std::uint32_t attempt) {
  const double grown = policy.first_delay_s * std::pow(2.0, std::min<std::uint32_t>(attempt, 30));
  const std::uint32_t spread = (id.doc_id * 2654435761u) ^ (id.repeat * 40503u) ^ (attempt * 97u);
  return std::min(grown, policy.max_delay_s) * (1 - 0.5 * (spread % 1000) / 1000.0);
}

// One request, over all its attempts.
struct Job {
  Request request;
  nlohmann::ordered_json asked;  // what sampling_mismatch compares with
  std::string body;
  Clock::time_point first_start = Clock::now();
  std::uint32_t retries = 0;
  Clock::time_point due;  // of the next attempt
};

// One attempt: a transfer of libcurl's and what came of it.
struct Attempt {
  explicit Attempt(Job owned) : job(std::move(owned)) {}

  Job job;
  CurlEasy easy = make_easy();
  CurlHeaders headers;
  std::array<char, CURL_ERROR_SIZE> details{};
  Clock::time_point started = Clock::now();
  Clock::time_point last_byte = started;
  std::optional<double> queued_ms;
  std::optional<double> retry_after_s;
  bool event_stream = false;
  SseReader sse;
  StreamedAnswer answer;
  std::string error_body;
  std::string fault;      // why we closed it ourselves; "" if we didn't
  bool hopeless = false;  // such a fault would come again: not retried
  std::function<bool(Attempt&, std::string_view)> on_bytes;
};

std::size_t receive(char* data, std::size_t size, std::size_t count, void* self) {
  auto& attempt = *static_cast<Attempt*>(self);
  attempt.last_byte = Clock::now();
  if (!attempt.queued_ms) {
    attempt.queued_ms = ms_since(attempt.started);
  }
  return attempt.on_bytes(attempt, std::string_view(data, size * count)) ? size * count : 0;
}

std::size_t receive_header(char* data, std::size_t size, std::size_t count, void* self) {
  constexpr std::string_view kRetryAfter = "retry-after:";
  std::string_view line(data, size * count);
  const bool same = line.size() > kRetryAfter.size() &&
                    std::equal(kRetryAfter.begin(), kRetryAfter.end(), line.begin(), [](char a, char b) {
                      return a == std::tolower(static_cast<unsigned char>(b));
                    });
  if (same) {
    // Seconds; a date (its other form) is left to our own delay.
    const std::string value(line.substr(kRetryAfter.size()));
    char* end = nullptr;
    const double seconds = std::strtod(value.c_str(), &end);
    if (end != value.c_str() && seconds >= 0 && std::isfinite(seconds)) {
      static_cast<Attempt*>(self)->retry_after_s = seconds;
    }
  }
  return size * count;
}

}  // namespace

struct LlamaServerRunner::Impl {
  LlamaServerOptions options;
  RunnerInfo info;
  std::string base;
  CurlMulti multi = make_multi();  // holds the connections that stay open between requests
};

namespace {

// The state of one run(): at most `limit_` jobs running or waiting to be tried again.
class RemoteRun {
 public:
  RemoteRun(const LlamaServerOptions& options, const RunnerInfo& info, const std::string& base, CURLM* multi,
            RequestSource& source, Sink& sink)
      : options_(options),
        info_(info),
        base_(base),
        multi_(multi),
        source_(source),
        sink_(sink),
        limit_(static_cast<std::size_t>(std::max<std::int64_t>(info.concurrency, 1))) {}

  ~RemoteRun() {
    for (const auto& attempt : running_) {
      curl_multi_remove_handle(multi_, attempt->easy.get());
    }
  }

  void run(const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
    while (true) {
      if (stop.stop_requested()) {
        cancel_all();
        return;
      }
      start_due();
      pull();
      if (running_.empty() && waiting_.empty()) {
        return;  // the source is empty
      }
      int active = 0;
      check(curl_multi_perform(multi_, &active));
      const bool freed = finish_transfers();
      close_stalled();
      if (!freed && !stop.stop_requested()) {
        check(curl_multi_poll(multi_, nullptr, 0, poll_ms(), nullptr));
      }
    }
  }

 private:
  using Attempts = std::list<std::unique_ptr<Attempt>>;

  static void check(CURLMcode code) {
    if (code != CURLM_OK) {
      throw std::runtime_error(fmt::format("libcurl: {}", curl_multi_strerror(code)));
    }
  }

  void pull() {
    while (!source_empty_ && running_.size() + waiting_.size() < limit_) {
      auto request = source_.next();
      if (!request) {
        source_empty_ = true;
        return;
      }
      Job job;
      job.body = chat_request(*request, options_.sampling, info_.model_id);
      job.asked = sampling_fields(options_.sampling, request->seed);
      job.request = std::move(*request);
      start(std::move(job));
    }
  }

  void start_due() {
    const auto now = Clock::now();
    for (auto it = waiting_.begin(); it != waiting_.end() && running_.size() < limit_;) {
      if (it->due <= now) {
        start(std::move(*it));
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
  }

  void start(Job job) {
    auto attempt = std::make_unique<Attempt>(std::move(job));
    CURL* easy = attempt->easy.get();
    apply_common(easy, options_.http, base_, "/v1/chat/completions");
    attempt->headers = request_headers(options_.http, true);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, attempt->headers.get());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(attempt->job.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, attempt->job.body.data());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, attempt.get());
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &receive_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, attempt.get());
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, attempt->details.data());
    curl_easy_setopt(easy, CURLOPT_PRIVATE, attempt.get());
    attempt->on_bytes = [this](Attempt& a, std::string_view bytes) { return read(a, bytes); };
    check(curl_multi_add_handle(multi_, easy));
    running_.push_back(std::move(attempt));
  }

  // False closes the transfer; `fault` then says why, or the answer is whole.
  bool read(Attempt& attempt, std::string_view bytes) {
    long status = 0;
    curl_easy_getinfo(attempt.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    const char* type = nullptr;
    curl_easy_getinfo(attempt.easy.get(), CURLINFO_CONTENT_TYPE, &type);
    attempt.event_stream =
        status == kHttpOk && type != nullptr && std::string_view(type).starts_with("text/event-stream");
    if (!attempt.event_stream) {
      attempt.error_body.append(bytes.substr(0, kMaxErrorBody - attempt.error_body.size()));
      return attempt.error_body.size() < kMaxErrorBody;
    }
    try {
      attempt.sse.feed(bytes, [&](std::string_view event) {
        attempt.answer.add(event,
                           [&](std::string_view text) { sink_.on_delta(attempt.job.request.id, text); });
        return within_bounds(attempt) && !attempt.answer.error();
      });
    } catch (const SseError& error) {
      attempt.fault = error.what();
    } catch (const StreamError& error) {
      attempt.fault = error.what();
    }
    return attempt.fault.empty();
  }

  bool within_bounds(Attempt& attempt) const {
    constexpr std::int64_t kSlack = 16;
    const std::int64_t max_tokens = options_.sampling.max_tokens;
    if (attempt.answer.tokens_so_far() > max_tokens + max_tokens / 10 + kSlack) {
      attempt.fault = fmt::format("the stream went on past max_tokens = {} by more than a tenth", max_tokens);
    } else if (attempt.answer.text_bytes() > options_.max_answer_bytes) {
      attempt.fault = fmt::format("an answer of more than {} bytes", options_.max_answer_bytes);
    }
    attempt.hopeless = !attempt.fault.empty();
    return attempt.fault.empty();
  }

  // True if a slot became free.
  bool finish_transfers() {
    bool any = false;
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) {
        continue;
      }
      const CURLcode code = message->data.result;
      CURL* easy = message->easy_handle;
      const auto it = std::find_if(running_.begin(), running_.end(),
                                   [&](const auto& a) { return a->easy.get() == easy; });
      curl_multi_remove_handle(multi_, easy);
      auto attempt = std::move(*it);
      running_.erase(it);
      settle(*attempt, code);
      any = true;
    }
    return any;
  }

  // What a transfer that ended means: an answer, a result without one, another try, or the end of the run.
  void settle(Attempt& attempt, CURLcode code) {
    if (attempt.hopeless) {
      fail(attempt, attempt.fault);
    } else if (!attempt.fault.empty()) {
      try_again(attempt, attempt.fault);
    } else if (attempt.answer.error()) {
      settle_error(attempt, *attempt.answer.error());
    } else if (code == CURLE_OK && !attempt.event_stream) {
      settle_body(attempt);
    } else if (code == CURLE_OK && attempt.answer.done() && attempt.answer.has_finish_reason() &&
               !attempt.sse.inside_event()) {
      deliver(attempt, std::move(attempt.answer));
    } else if (code == CURLE_OK) {
      try_again(attempt, "the stream ended before the answer did");
    } else if (code == CURLE_WRITE_ERROR) {
      try_again(attempt, "an error page without an end");
    } else {
      try_again(attempt, describe_failure(base_, code, attempt.details.data()));
    }
  }

  void settle_body(Attempt& attempt) {
    long status = 0;
    curl_easy_getinfo(attempt.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status == kHttpOk) {
      try_again(attempt, "not a stream of events; is there something between us and llama-server?");
    } else if (status >= 300 && status < 400) {
      throw RunAborted(
          fmt::format("{}: answers with a redirect (HTTP {}); give the address it leads to", base_, status));
    } else {
      settle_error(attempt, error_of_body(status, attempt.error_body));
    }
  }

  void settle_error(Attempt& attempt, const ServerError& error) {
    const std::string text = fmt::format("HTTP {}: {}", error.code, error.message);
    switch (classify(error)) {
      case ErrorClass::lost_parse: {
        Completion completion;
        std::move(attempt.answer)
            .finish(options_.sampling, attempt.job.asked, info_.slot_context, completion);
        completion.outcome = Outcome::lost_parse;
        completion.error = text;
        hand_over(attempt, std::move(completion));
        return;
      }
      case ErrorClass::context_pool:
        // All running requests die of it at once: only those begun since the last cut are news.
        if (attempt.started >= limit_since_) {
          limit_ = std::max<std::size_t>(limit_ / 2, 1);
          limit_since_ = Clock::now();
        }
        try_again(attempt, text);
        return;
      case ErrorClass::transient:
        try_again(attempt, text);
        return;
      case ErrorClass::ours:
        throw RunAborted(fmt::format(
            "{} refuses the request of question {}: {}. Nothing was scored for it; the run can go on "
            "once that is mended",
            base_, attempt.job.request.id.doc_id, text));
    }
  }

  void try_again(Attempt& attempt, const std::string& why) {
    if (attempt.job.retries >= static_cast<std::uint32_t>(std::max(options_.retry.max_retries, 0))) {
      fail(attempt, fmt::format("{} (after {} retries)", why, attempt.job.retries));
      return;
    }
    double delay = retry_delay(options_.retry, attempt.job.request.id, attempt.job.retries);
    if (attempt.retry_after_s) {
      delay = std::min(std::max(delay, *attempt.retry_after_s), 10 * options_.retry.max_delay_s);
    }
    ++attempt.job.retries;
    attempt.job.due = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(delay));
    waiting_.push_back(std::move(attempt.job));
  }

  void deliver(Attempt& attempt, StreamedAnswer&& answer) {
    Completion completion;
    std::move(answer).finish(options_.sampling, attempt.job.asked, info_.slot_context, completion);
    hand_over(attempt, std::move(completion));
  }

  void fail(Attempt& attempt, std::string why) {
    Completion completion;
    completion.outcome = Outcome::failed;
    completion.error = std::move(why);
    hand_over(attempt, std::move(completion));
  }

  void hand_over(Attempt& attempt, Completion completion) {
    completion.timing.queued_ms = attempt.queued_ms.value_or(0);
    hand_over(attempt.job, std::move(completion));
  }

  void hand_over(const Job& job, Completion completion) {
    completion.id = job.request.id;
    completion.retries = job.retries;
    completion.server_id = base_;
    completion.timing.total_ms = ms_since(job.first_start);
    sink_.on_done(std::move(completion));
  }

  void cancel_all() {
    const auto cancel = [this](const Job& job) {
      Completion completion;
      completion.outcome = Outcome::cancelled;
      hand_over(job, std::move(completion));
    };
    while (!running_.empty()) {
      const auto attempt = std::move(running_.front());
      running_.pop_front();
      curl_multi_remove_handle(multi_,
                               attempt->easy.get());  // closes the connection: the server frees the slot
      cancel(attempt->job);
    }
    while (!waiting_.empty()) {
      const Job job = std::move(waiting_.front());
      waiting_.pop_front();
      cancel(job);
    }
  }

  void close_stalled() {
    for (auto it = running_.begin(); it != running_.end();) {
      if (Seconds(Clock::now() - (*it)->last_byte).count() < options_.stall_timeout_s) {
        ++it;
        continue;
      }
      const auto attempt = std::move(*it);
      it = running_.erase(it);
      curl_multi_remove_handle(multi_, attempt->easy.get());
      try_again(*attempt, fmt::format("no byte for {:g} s", options_.stall_timeout_s));
    }
  }

  // Until the next retry is due or the next stall could be one; libcurl wakes us for everything else.
  int poll_ms() const {
    double wait = 60;
    for (const auto& job : waiting_) {
      wait = std::min(wait, Seconds(job.due - Clock::now()).count());
    }
    for (const auto& attempt : running_) {
      wait = std::min(wait, options_.stall_timeout_s - Seconds(Clock::now() - attempt->last_byte).count());
    }
    return static_cast<int>(std::ceil(std::max(wait, 0.0) * 1000));
  }

  const LlamaServerOptions& options_;
  const RunnerInfo& info_;
  const std::string& base_;
  CURLM* multi_;
  RequestSource& source_;
  Sink& sink_;
  std::size_t limit_;
  Clock::time_point limit_since_;
  bool source_empty_ = false;
  Attempts running_;
  std::list<Job> waiting_;
};

}  // namespace

LlamaServerRunner::LlamaServerRunner(LlamaServerOptions options, RunnerInfo info)
    : impl_(std::make_unique<Impl>()) {
  impl_->base = base_url(options.http.url);
  impl_->options = std::move(options);
  impl_->info = std::move(info);
  impl_->info.kind = "llama-server";
  impl_->info.url = impl_->base;
}

LlamaServerRunner::~LlamaServerRunner() = default;

RunnerInfo LlamaServerRunner::info() const {
  return impl_->info;
}

void LlamaServerRunner::run(RequestSource& source, Sink& sink, std::stop_token stop) {
  RemoteRun(impl_->options, impl_->info, impl_->base, impl_->multi.get(), source, sink).run(stop);
}

}  // namespace gpqa
