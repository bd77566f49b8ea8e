#include "harness/speed_probe.h"

#include <stop_token>

#include "runners/remote/http_client.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

constexpr std::int64_t kProbeTokens = 32;

struct OneRequest final : RequestSource {
  bool asked = false;
  std::optional<Request> next() override {
    if (asked) return std::nullopt;
    asked = true;
    return Request{{}, "Count from one to one hundred in words.", 1};
  }
};

struct OneAnswer final : Sink {
  std::optional<Completion> completion;
  void on_done(Completion done) override { completion = std::move(done); }
};

}  // namespace

std::optional<double> probe_speed(LlamaServerOptions options, const RunnerInfo& info) {
  options.sampling.max_tokens = kProbeTokens;
  options.retry.max_retries = 0;
  OneRequest source;
  OneAnswer sink;
  try {
    LlamaServerRunner(std::move(options), info).run(source, sink, std::stop_token());
  } catch (const RunAborted&) {
    return std::nullopt;
  } catch (const TransportError&) {
    return std::nullopt;
  }
  if (!sink.completion) return std::nullopt;
  const auto& timing = sink.completion->timing;
  const auto tokens = sink.completion->tokens.completion;
  const double ms = timing.predicted_ms > 0 ? timing.predicted_ms : timing.total_ms;
  if (tokens <= 1 || ms <= 0) return std::nullopt;
  return static_cast<double>(tokens) * 1000 / ms;
}

}  // namespace gpqa
