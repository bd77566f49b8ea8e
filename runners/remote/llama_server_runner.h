// Answers requests through llama-servers' /v1/chat/completions, streaming, several at a time on one thread.
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "runners/remote/endpoint.h"
#include "runners/runner.h"
#include "runners/sampling_config.h"

namespace gpqa {

struct RetryPolicy {
  int max_retries = 8;         // transport faults a request may meet before it is `failed`
  double first_delay_s = 0.5;  // doubled each time, with jitter that depends only on the trial
  double max_delay_s = 30;
  // So long no server may be reachable before a run ends; what was asked is then `failed`.
  double max_outage_s = 900;
};

struct LlamaServerOptions {
  SamplingConfig sampling;
  // No event for so long is a stall (pings don't count): a slow CPU may chew on a prompt for many minutes.
  double stall_timeout_s = 1800;
  // Of text; a stream beyond it (or max_tokens + 10%) is closed: failed.
  std::size_t max_answer_bytes = 16u << 20;
  RetryPolicy retry;
};

class LlamaServerRunner final : public Runner {
 public:
  // Each server as it was audited: its concurrency is the number of requests that it is kept busy with. One
  // that can't be reached hands its questions to the others, and is asked for its health until it is back.
  LlamaServerRunner(LlamaServerOptions options, std::vector<Server> servers);
  ~LlamaServerRunner() override;

  RunnerInfo info() const override;  // of the first server; addresses, concurrency and notes of all
  void run(RequestSource& source, Sink& sink, std::stop_token stop) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpqa
