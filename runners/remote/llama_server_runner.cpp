#include "runners/remote/llama_server_runner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/remote/chat_transfer.h"
#include "runners/remote/curl_handle.h"
#include "runners/remote/streamed_answer.h"
#include "runners/remote/wire_format.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr double kLingerSeconds = 2;  // for a connection to end in order after [DONE], and be used again

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

// One attempt at it. The transfer sends from the job's body, so the two stay together.
struct Attempt {
  Job job;
  std::unique_ptr<ChatTransfer> transfer;
};

// What its owner can do about a request that a server refuses.
std::string advice(const ServerError& error) {
  if (error.type == "exceed_context_size_error") {
    return "A slot holds less than the prompt: start llama-server with a larger -c, or with fewer slots "
           "(-np)";
  }
  switch (error.code) {
    case 401:
    case 403:
      return "It wants another API key: name the variable that holds it (api_key_env)";
    case 404:
    case 405:
      return "Is that llama-server's address?";
    default:
      return "It may be a field that this build doesn't take: change it under [sampling], or the build";
  }
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
      if (attempt.transfer) {  // else it could not be made
        curl_multi_remove_handle(multi_, attempt.transfer->easy());
      }
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
      const bool ended = finish_transfers();
      const bool closed = close_stalled();
      if (!ended && !closed && !stop.stop_requested()) {
        check(curl_multi_poll(multi_, nullptr, 0, poll_ms(), nullptr));
      }
    }
  }

 private:
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

  void start(Job owned) {
    Attempt& attempt = running_.emplace_back(Attempt{.job = std::move(owned), .transfer = nullptr});
    const TrialId id = attempt.job.request.id;
    attempt.transfer = std::make_unique<ChatTransfer>(
        options_.http, base_, attempt.job.body,
        AnswerBounds{.max_tokens = options_.sampling.max_tokens, .max_bytes = options_.max_answer_bytes},
        [this, id](std::string_view text) { sink_.on_delta(id, text); });
    check(curl_multi_add_handle(multi_, attempt.transfer->easy()));
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
                                   [&](const Attempt& a) { return a.transfer->easy() == easy; });
      settle(take(it), code);
      any = true;
    }
    return any;
  }

  Attempt take(std::list<Attempt>::iterator it) {
    curl_multi_remove_handle(multi_, it->transfer->easy());
    Attempt attempt = std::move(*it);
    running_.erase(it);
    return attempt;
  }

  // What a transfer that ended means: an answer, a result without one, another try, or the end of the run.
  void settle(Attempt attempt, CURLcode code) {
    const auto result = attempt.transfer->result(code);
    switch (result.end) {
      case ChatTransfer::End::answer:
        deliver(attempt);
        return;
      case ChatTransfer::End::fault:
        try_again(attempt, result.why, result.retry_after_s);
        return;
      case ChatTransfer::End::hopeless:
        fail(attempt, result.why);
        return;
      case ChatTransfer::End::redirected:
        abort_run(attempt, fmt::format("{}: answers with a redirect (HTTP {}); give the address it leads to",
                                       base_, result.error.code));
      case ChatTransfer::End::error:
        settle_error(attempt, result.error, result.retry_after_s);
        return;
    }
  }

  void settle_error(Attempt& attempt, const ServerError& error, std::optional<double> retry_after_s) {
    const std::string text = fmt::format("HTTP {}: {}", error.code, error.message);
    switch (classify(error)) {
      case ErrorClass::lost_parse: {
        Completion completion = completion_of(attempt);
        completion.outcome = Outcome::lost_parse;
        completion.error = text;
        hand_over(attempt, std::move(completion));
        return;
      }
      case ErrorClass::context_pool:
        // All running requests die of it at once: only those begun since the last cut are news.
        if (attempt.transfer->started() >= limit_since_) {
          limit_ = std::max<std::size_t>(limit_ / 2, 1);
          limit_since_ = Clock::now();
        }
        try_again(attempt, text, retry_after_s);
        return;
      case ErrorClass::transient:
        try_again(attempt, text, retry_after_s);
        return;
      case ErrorClass::ours:
        abort_run(
            attempt,
            fmt::format("{} refuses the request of question {}: {}. {}. Nothing is scored for it; the same "
                        "command goes on once that is mended",
                        base_, attempt.job.request.id.doc_id, text, advice(error)));
    }
  }

  // Every request is still done exactly once.
  [[noreturn]] void abort_run(Attempt& attempt, const std::string& why) {
    cancel(attempt.job);
    cancel_all();
    throw RunAborted(why);
  }

  void try_again(Attempt& attempt, const std::string& why, std::optional<double> retry_after_s) {
    if (attempt.job.retries >= static_cast<std::uint32_t>(std::max(options_.retry.max_retries, 0))) {
      fail(attempt, fmt::format("{} (after {} retries)", why, attempt.job.retries));
      return;
    }
    double delay = retry_delay(options_.retry, attempt.job.request.id, attempt.job.retries);
    if (retry_after_s) {
      delay = std::min(std::max(delay, *retry_after_s), 10 * options_.retry.max_delay_s);
    }
    ++attempt.job.retries;
    attempt.job.due = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(delay));
    waiting_.push_back(std::move(attempt.job));
  }

  Completion completion_of(Attempt& attempt) {
    Completion completion;
    attempt.transfer->take_answer().finish(options_.sampling, attempt.job.asked, info_.slot_context,
                                           completion);
    return completion;
  }

  void deliver(Attempt& attempt) { hand_over(attempt, completion_of(attempt)); }

  void fail(Attempt& attempt, std::string why) {
    Completion completion;
    completion.outcome = Outcome::failed;
    completion.error = std::move(why);
    hand_over(attempt, std::move(completion));
  }

  void hand_over(const Attempt& attempt, Completion completion) {
    completion.timing.queued_ms = attempt.transfer->queued_ms();
    hand_over(attempt.job, std::move(completion));
  }

  void hand_over(const Job& job, Completion completion) {
    completion.id = job.request.id;
    completion.retries = job.retries;
    completion.server_id = base_;
    completion.timing.total_ms = ms_since(job.first_start);
    sink_.on_done(std::move(completion));
  }

  void cancel(const Job& job) {
    Completion completion;
    completion.outcome = Outcome::cancelled;
    hand_over(job, std::move(completion));
  }

  void cancel_all() {
    while (!running_.empty()) {
      Attempt attempt = take(running_.begin());  // the connection closes, so the server frees the slot
      if (attempt.transfer->answered()) {
        deliver(attempt);
      } else {
        cancel(attempt.job);
      }
    }
    while (!waiting_.empty()) {
      const Job job = std::move(waiting_.front());
      waiting_.pop_front();
      cancel(job);
    }
  }

  double seconds_left(const ChatTransfer& transfer) const {
    const double limit =
        transfer.answered() ? std::min(kLingerSeconds, options_.stall_timeout_s) : options_.stall_timeout_s;
    return limit - Seconds(Clock::now() - transfer.last_progress()).count();
  }

  // True if a slot became free.
  bool close_stalled() {
    bool any = false;
    for (auto it = running_.begin(); it != running_.end();) {
      const auto here = it++;
      if (seconds_left(*here->transfer) > 0) {
        continue;
      }
      any = true;
      Attempt attempt = take(here);
      if (attempt.transfer->answered()) {
        deliver(attempt);
      } else {
        try_again(attempt, fmt::format("nothing came for {:g} s", options_.stall_timeout_s), {});
      }
    }
    return any;
  }

  // Until the next retry is due or the next stall could be one; libcurl wakes us for everything else.
  int poll_ms() const {
    double wait = 60;
    if (running_.size() < limit_) {  // else a job that is due waits for a free slot
      for (const auto& job : waiting_) {
        wait = std::min(wait, Seconds(job.due - Clock::now()).count());
      }
    }
    for (const auto& attempt : running_) {
      wait = std::min(wait, seconds_left(*attempt.transfer));
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
  std::list<Attempt> running_;
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
