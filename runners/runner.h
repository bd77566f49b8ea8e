// runners/: the ways to have a prompt answered. This header is the whole contract.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "runners/completion.h"
#include "runners/request.h"

namespace gpqa {

// What is known of the model and whoever runs it. Goes into the manifest; every field can change a score.
struct RunnerInfo {
  std::string kind;   // llama-server | scripted | replay | embedded
  std::string url;    // "" where there is none
  std::string build;  // of the server
  std::string model_id;
  std::string model_path;
  std::string quant;             // e.g. "Q6_K"
  std::int64_t n_params = 0;     // elements of all tensors, 0 = unknown
  std::int64_t model_bytes = 0;  // bytes of all tensors, 0 = unknown
  std::int64_t slots = 1;
  std::int64_t slot_context = 0;  // tokens a slot can hold
  std::int64_t context_pool = 0;  // tokens that all slots share
  std::int64_t concurrency = 1;   // requests we keep in flight
  std::string chat_template_sha256;
  std::string chat_template_name;  // of a known template, else "unknown"
  std::string thinking;            // what was observed: "on", "off", "absent"
  std::string budget_probe;        // "cut at 16", "not exercised: ...", ...
  std::string fingerprint;         // JSON: greedy tokens and their top logprobs on a fixed prompt
  std::map<std::string, std::string> server_defaults;  // sampling fields the server would use unasked
  double tokens_per_s = 0;         // of one request in the audit, 0 = unknown; for estimates, not stored
  std::vector<std::string> notes;  // what merely differs from the plan, in words
};

// Hears what a run brings, on run()'s thread; on_done exactly once a request.
struct Sink {
  virtual ~Sink() = default;
  virtual void on_delta(TrialId, std::string_view /*text*/) {}
  virtual void on_done(Completion completion) = 0;
  // Something befell whoever answers, and the run goes on: a server that was started again.
  virtual void on_event(std::string_view /*what*/) {}
  virtual void on_tick() {}  // at least once a second
};

struct Runner {
  virtual ~Runner() = default;
  virtual RunnerInfo info() const = 0;
  // Answers requests until the source is empty or a stop is asked for; running requests then end as
  // `cancelled`. Throws RunAborted when no further answer could be right (a 400, 401 or 404 to our own
  // request).
  virtual void run(RequestSource& source, Sink& sink, std::stop_token stop) = 0;
};

}  // namespace gpqa
