// How far a run is, in numbers and in one line. No clock and no terminal in here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "results/run_record.h"

namespace gpqa {

struct ProgressState {
  std::int64_t total = 0;
  std::int64_t done = 0;     // recorded, failed ones among them
  std::int64_t scored = 0;   // of these, those that count in `correct`: a failed one is asked again
  std::int64_t correct = 0;  // flexible filter
  std::int64_t truncated = 0;
  std::int64_t lost = 0;
  std::int64_t failed = 0;
  double tokens_per_s = 0;  // 0: not known yet
  std::optional<double> eta_s;
};

// Counts a run as it goes on. Times are seconds of any clock that doesn't go back.
class ProgressMeter {
 public:
  // `run` is what was kept before; of it, failed trials are asked again.
  ProgressMeter(std::int64_t total, const RunRecord& run, double now);

  void on_delta(double now);  // about a token
  void on_record(const TrialRecord& record, double now);
  ProgressState state(double now) const;

 private:
  void count(const TrialRecord& record);
  double token_rate(double now) const;
  std::optional<double> eta(double now) const;

  struct Finish {
    double at;
    std::int64_t tokens;
  };
  struct Second {
    std::int64_t at;
    std::int64_t deltas;
  };
  ProgressState counts_;
  double start_;
  std::deque<Finish> finishes_;  // of the last trials, the start of the window first
  std::deque<Second> seconds_;   // of the last seconds
};

// "[####......] 57/198  71.9% [59.2, 81.9]  48.1 tok/s  ETA 3h12m  truncated 2  failed 0", never wider than
// `width` columns: the bar shrinks first, then the last parts go.
std::string progress_line(const ProgressState& state, std::size_t width);
// For logs: the same without a bar.
std::string progress_words(const ProgressState& state);

std::string duration_words(double seconds);  // "45s", "12m", "3h12m", "2d5h"

struct Estimate {
  double seconds = 0;
  bool upper_bound = false;  // every answer running to max_tokens
  std::string words;         // how it was made
};
// From answers that the run has, else from a measured speed (tokens/s of one request); nullopt without
// either.
std::optional<Estimate> estimate_duration(const RunRecord& run, std::int64_t remaining,
                                          std::int64_t max_tokens, std::int64_t concurrency,
                                          std::optional<double> tokens_per_s);

}  // namespace gpqa
