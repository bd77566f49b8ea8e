#include "runners/remote/llama_server_runner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <list>
#include <optional>
#include <span>
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
  Clock::time_point first_start = Clock::now();
  std::uint32_t retries = 0;
  Clock::time_point due;  // of the next attempt
};

// One attempt at it, with one server. The transfer sends from the body, so the two stay together.
struct Attempt {
  Job job;
  Endpoint* server;
  std::unique_ptr<std::string> body;
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
  std::vector<Endpoint> servers;
  CurlMulti multi = make_multi();  // holds the connections that stay open between requests
};

namespace {

// The state of one run(): as many jobs running or waiting to be tried again as the servers take at a time.
class RemoteRun {
 public:
  RemoteRun(const LlamaServerOptions& options, std::vector<Endpoint>& servers, CURLM* multi,
            RequestSource& source, Sink& sink)
      : options_(options), servers_(servers), multi_(multi), source_(source), sink_(sink) {}

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
      look_after_servers();
      start_due();
      pull();
      if (running_.empty() && waiting_.empty() && source_empty_) {
        return;
      }
      int active = 0;
      check(curl_multi_perform(multi_, &active));
      const bool ended = finish_transfers();
      const bool closed = close_stalled();
      sink_.on_tick();
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

  void look_after_servers() {
    for (auto& server : servers_) {
      if (const auto event = server.look()) {
        sink_.on_event(*event);
      }
    }
    if (std::any_of(servers_.begin(), servers_.end(), [](const auto& s) { return !s.is_down(); })) {
      return;
    }
    const auto last = std::max_element(servers_.begin(), servers_.end(), [](const auto& a, const auto& b) {
      return a.down_since() < b.down_since();
    });
    const bool gone =
        std::all_of(servers_.begin(), servers_.end(), [](const auto& s) { return s.is_gone(); });
    if (gone || Seconds(Clock::now() - last->down_since()).count() > options_.retry.max_outage_s) {
      end_for_good(last->why(), gone);
    }
  }

  // No server is left to ask.
  [[noreturn]] void end_for_good(const std::string& why, bool gone) {
    while (!running_.empty()) {
      waiting_.push_back(std::move(take(running_.begin()).job));
    }
    for (const auto& job : waiting_) {
      if (gone) {
        cancel(job);
      } else {
        fail(job, fmt::format("{} (after {} retries)", why, job.retries));
      }
    }
    waiting_.clear();
    throw RunAborted(
        gone ? why
             : fmt::format("no server could be reached for {:g} s: {}", options_.retry.max_outage_s, why));
  }

  std::size_t limit() const {
    std::size_t all = 0;
    for (const auto& server : servers_) {
      all += server.limit();
    }
    return all;
  }

  Endpoint* free_server() {
    const auto most = std::max_element(servers_.begin(), servers_.end(),
                                       [](const auto& a, const auto& b) { return a.room() < b.room(); });
    return most->room() == 0 ? nullptr : &*most;
  }

  void pull() {
    // While no server is up, one request is held: else it would not be known whether any is left.
    if (!source_empty_ && running_.empty() && waiting_.empty() && limit() == 0) {
      if (auto job = next_job()) {
        job->due = Clock::now();
        waiting_.push_back(std::move(*job));
      }
    }
    while (!source_empty_ && running_.size() + waiting_.size() < limit()) {
      Endpoint* server = free_server();
      if (server == nullptr) {
        return;
      }
      if (auto job = next_job()) {
        start(std::move(*job), *server);
      }
    }
  }

  std::optional<Job> next_job() {
    auto request = source_.next();
    if (!request) {
      source_empty_ = true;
      return std::nullopt;
    }
    Job job;
    job.asked = sampling_fields(options_.sampling, request->seed);
    job.request = std::move(*request);
    return job;
  }

  void start_due() {
    const auto now = Clock::now();
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      Endpoint* server = free_server();
      if (server == nullptr) {
        return;
      }
      if (it->due <= now) {
        start(std::move(*it), *server);
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
  }

  void start(Job owned, Endpoint& server) {
    auto body =
        std::make_unique<std::string>(chat_request(owned.request, options_.sampling, server.info().model_id));
    Attempt& attempt = running_.emplace_back(
        Attempt{.job = std::move(owned), .server = &server, .body = std::move(body), .transfer = nullptr});
    ++server.running;
    const TrialId id = attempt.job.request.id;
    attempt.transfer = std::make_unique<ChatTransfer>(
        server.http(), server.url(), *attempt.body,
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
    --attempt.server->running;
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
        if (!result.reached) {
          attempt.server->doubt(result.why);
        }
        try_again(attempt, result.why, result.retry_after_s);
        return;
      case ChatTransfer::End::hopeless:
        fail(attempt.job, result.why);
        return;
      case ChatTransfer::End::redirected:
        abort_run(attempt, fmt::format("{}: answers with a redirect (HTTP {}); give the address it leads to",
                                       attempt.server->url(), result.error.code));
      case ChatTransfer::End::error:
        settle_error(attempt, result.error, result.retry_after_s);
        return;
    }
  }

  void settle_error(Attempt& attempt, const ServerError& error, std::optional<double> retry_after_s) {
    const std::string text = fmt::format("HTTP {}: {}", error.code, error.message);
    switch (classify(error)) {
      case ErrorClass::lost_parse:
        deliver_as(Outcome::lost_parse, text, attempt);
        return;
      case ErrorClass::context_pool:
        if (!attempt.server->lower_limit(attempt.transfer->started())) {
          deliver_as(Outcome::context_full, text, attempt);
          return;
        }
        try_again(attempt, text, retry_after_s);
        return;
      case ErrorClass::transient:
        if (error.code == 503) {
          attempt.server->doubt(text);
        }
        try_again(attempt, text, retry_after_s);
        return;
      case ErrorClass::ours:
        abort_run(
            attempt,
            fmt::format("{} refuses the request of question {}: {}. {}. Nothing is scored for it; the same "
                        "command goes on once that is mended",
                        attempt.server->url(), attempt.job.request.id.doc_id, text, advice(error)));
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
      fail(attempt.job, fmt::format("{} (after {} retries)", why, attempt.job.retries));
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
    attempt.transfer->take_answer().finish(options_.sampling, attempt.job.asked,
                                           attempt.server->info().slot_context, completion);
    return completion;
  }

  // A result, though the server calls it an error: with what had come of it.
  void deliver_as(Outcome outcome, const std::string& error, Attempt& attempt) {
    Completion completion = completion_of(attempt);
    completion.outcome = outcome;
    completion.error = error;
    hand_over(attempt, std::move(completion));
  }

  void deliver(Attempt& attempt) {
    attempt.server->answered();
    hand_over(attempt, completion_of(attempt));
  }

  void fail(const Job& job, std::string why) {
    Completion completion;
    completion.outcome = Outcome::failed;
    completion.error = std::move(why);
    hand_over(job, std::move(completion));
  }

  void hand_over(const Attempt& attempt, Completion completion) {
    completion.server_id = attempt.server->url();
    completion.timing.queued_ms = attempt.transfer->queued_ms();
    hand_over(attempt.job, std::move(completion));
  }

  void hand_over(const Job& job, Completion completion) {
    completion.id = job.request.id;
    completion.retries = job.retries;
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

  // Until the next retry is due, the next stall could be one, or the next tick; libcurl wakes us for
  // everything else.
  int poll_ms() const {
    double wait = 1;
    if (std::any_of(servers_.begin(), servers_.end(), [](const auto& s) { return s.room() > 0; })) {
      for (const auto& job : waiting_) {
        wait = std::min(wait, Seconds(job.due - Clock::now()).count());
      }
    }
    for (const auto& server : servers_) {
      if (server.is_down() && !server.is_gone()) {
        wait = std::min(wait, Seconds(server.next_look() - Clock::now()).count());
      }
    }
    for (const auto& attempt : running_) {
      wait = std::min(wait, seconds_left(*attempt.transfer));
    }
    return static_cast<int>(std::ceil(std::max(wait, 0.0) * 1000));
  }

  const LlamaServerOptions& options_;
  std::vector<Endpoint>& servers_;
  CURLM* multi_;
  RequestSource& source_;
  Sink& sink_;
  bool source_empty_ = false;
  std::list<Attempt> running_;
  std::list<Job> waiting_;
};

}  // namespace

LlamaServerRunner::LlamaServerRunner(LlamaServerOptions options, std::vector<Server> servers)
    : impl_(std::make_unique<Impl>()) {
  if (servers.empty()) {
    throw std::logic_error("a runner without a server");
  }
  impl_->options = std::move(options);
  for (auto& server : servers) {
    impl_->servers.emplace_back(std::move(server));
  }
}

LlamaServerRunner::~LlamaServerRunner() = default;

RunnerInfo LlamaServerRunner::info() const {
  const auto& servers = impl_->servers;
  RunnerInfo info = servers.front().info();
  info.kind = "llama-server";
  info.url = servers.front().url();
  for (const auto& server : std::span(servers).subspan(1)) {
    const auto& other = server.info();
    info.url += "," + server.url();
    info.concurrency += other.concurrency;
    info.notes.push_back(fmt::format("{} answers too: {} of its {} slots of {} tokens", server.url(),
                                     other.concurrency, other.slots, other.slot_context));
    info.notes.insert(info.notes.end(), other.notes.begin(), other.notes.end());
  }
  return info;
}

void LlamaServerRunner::run(RequestSource& source, Sink& sink, std::stop_token stop) {
  RemoteRun(impl_->options, impl_->servers, impl_->multi.get(), source, sink).run(stop);
}

}  // namespace gpqa
