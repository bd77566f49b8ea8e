#include "harness/progress.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "scoring/statistics.h"

namespace gpqa {
namespace {

constexpr std::size_t kWindowTrials = 32;
constexpr std::int64_t kWindowSeconds = 10;
constexpr std::size_t kWidestBar = 30;
constexpr std::size_t kNarrowestBar = 8;

bool is_truncated(Outcome outcome) {
  return outcome == Outcome::cut_in_reasoning || outcome == Outcome::cut_in_answer ||
         outcome == Outcome::rumination || outcome == Outcome::context_full;
}

// In the order of their worth: what doesn't fit goes from the end.
std::vector<std::string> parts(const ProgressState& state) {
  std::vector<std::string> all = {fmt::format("{}/{}", state.done, state.total)};
  if (state.scored > 0) {
    const auto interval = wilson_interval(state.correct, state.scored);
    all.push_back(fmt::format("{:.1f}% [{:.1f}, {:.1f}]",
                              100.0 * static_cast<double>(state.correct) / static_cast<double>(state.scored),
                              100 * interval.low, 100 * interval.high));
  }
  if (state.eta_s && state.done < state.total) all.push_back("ETA " + duration_words(*state.eta_s));
  if (state.tokens_per_s > 0) all.push_back(fmt::format("{:.1f} tok/s", state.tokens_per_s));
  all.push_back(fmt::format("truncated {}", state.truncated));
  all.push_back(fmt::format("failed {}", state.failed));
  if (state.lost > 0) all.push_back(fmt::format("lost {}", state.lost));
  return all;
}

std::string bar(const ProgressState& state, std::size_t width) {
  const double share =
      state.total > 0 ? static_cast<double>(state.done) / static_cast<double>(state.total) : 0;
  const auto full = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

}  // namespace

ProgressMeter::ProgressMeter(std::int64_t total, const RunRecord& run, double now) : start_(now) {
  counts_.total = total;
  for (const auto& record : run.trials)
    if (record.outcome != Outcome::failed) count(record);
  finishes_.push_back({now, 0});
}

void ProgressMeter::count(const TrialRecord& record) {
  ++counts_.done;
  if (record.outcome == Outcome::failed) {
    ++counts_.failed;
    return;
  }
  ++counts_.scored;
  if (record.score.flexible.correct) ++counts_.correct;
  if (is_truncated(record.outcome)) ++counts_.truncated;
  if (record.outcome == Outcome::lost_parse) ++counts_.lost;
}

void ProgressMeter::on_delta(double now) {
  const auto second = static_cast<std::int64_t>(std::floor(now));
  if (seconds_.empty() || seconds_.back().at != second) seconds_.push_back({second, 0});
  ++seconds_.back().deltas;
  while (seconds_.front().at < second - kWindowSeconds) seconds_.pop_front();
}

void ProgressMeter::on_record(const TrialRecord& record, double now) {
  count(record);
  finishes_.push_back({now, record.tokens.completion});
  if (finishes_.size() > kWindowTrials + 1) finishes_.pop_front();
}

// What streams in tells it at once; without a stream, what the finished answers held.
double ProgressMeter::token_rate(double now) const {
  std::int64_t deltas = 0;
  for (const auto& second : seconds_)
    if (static_cast<double>(second.at) >= std::floor(now) - kWindowSeconds) deltas += second.deltas;
  if (deltas > 0) {
    const double since = std::max(start_, std::floor(now) - kWindowSeconds);
    return now - since >= 1 ? static_cast<double>(deltas) / (now - since) : 0;
  }
  std::int64_t tokens = 0;
  for (std::size_t i = 1; i < finishes_.size(); ++i) tokens += finishes_[i].tokens;
  const double seconds = now - finishes_.front().at;
  return tokens > 0 && seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

std::optional<double> ProgressMeter::eta(double now) const {
  const auto remaining = static_cast<double>(counts_.total - counts_.done);
  if (remaining <= 0) return 0.0;
  const auto finished = static_cast<double>(finishes_.size() - 1);
  if (finished == 0) return std::nullopt;
  const double per_trial = std::max(0.0, finishes_.back().at - finishes_.front().at) / finished;
  // The one that is running has taken its time since the last finish already.
  return std::max(0.0, remaining * per_trial - (now - finishes_.back().at));
}

ProgressState ProgressMeter::state(double now) const {
  ProgressState state = counts_;
  state.tokens_per_s = token_rate(now);
  state.eta_s = eta(now);
  return state;
}

std::string progress_line(const ProgressState& state, std::size_t width) {
  auto all = parts(state);
  const auto text = [&] { return fmt::format("{}", fmt::join(all, "  ")); };
  while (all.size() > 1 && text().size() > width) all.pop_back();
  auto words = text();
  if (words.size() > width) return words.substr(0, width);
  const std::size_t left = width - words.size();
  constexpr std::size_t kFrame = 3;  // [ ] and a blank
  if (left < kNarrowestBar + kFrame) return words;
  return bar(state, std::min(kWidestBar, left - kFrame)) + " " + words;
}

std::string progress_words(const ProgressState& state) {
  return fmt::format("{}", fmt::join(parts(state), "  "));
}

std::string duration_words(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 60) return fmt::format("{:.0f}s", std::floor(seconds));
  const double minutes = std::floor(seconds / 60);
  if (minutes < 60) return fmt::format("{:.0f}m", minutes);
  const double hours = std::floor(minutes / 60);
  if (hours < 48) return fmt::format("{:.0f}h{:02.0f}m", hours, minutes - hours * 60);
  const double days = std::floor(hours / 24);
  return fmt::format("{:.0f}d{:.0f}h", days, hours - days * 24);
}

std::optional<Estimate> estimate_duration(const RunRecord& run, std::int64_t remaining,
                                          std::int64_t max_tokens, std::int64_t concurrency,
                                          std::optional<double> tokens_per_s) {
  double total_ms = 0;
  std::int64_t answers = 0;
  for (const auto& record : run.trials) {
    if (record.outcome == Outcome::failed || record.timing.total_ms <= 0) continue;
    total_ms += record.timing.total_ms;
    ++answers;
  }
  const auto trials = static_cast<double>(remaining);
  const auto slots = static_cast<double>(std::max<std::int64_t>(1, concurrency));
  if (answers > 0) {
    const double each = total_ms / 1000 / static_cast<double>(answers);
    return Estimate{trials * each / slots, false, fmt::format("from the {} answers it has", answers)};
  }
  if (!tokens_per_s || *tokens_per_s <= 0) return std::nullopt;
  return Estimate{
      trials * static_cast<double>(max_tokens) / *tokens_per_s, true,
      fmt::format("{:.1f} tokens/s in one short answer, were every answer to run to {} tokens, one at a time",
                  *tokens_per_s, max_tokens)};
}

}  // namespace gpqa
