#include "results/summary.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace gpqa {
namespace {

struct Mean {
  double sum = 0;
  std::int64_t count = 0;
  void add(double value) {
    sum += value;
    ++count;
  }
  double value() const { return count == 0 ? 0 : sum / static_cast<double>(count); }
  std::optional<double> known() const { return count == 0 ? std::nullopt : std::optional(value()); }
};

// Repeats of a question are alike, so the spread is that of the questions' means.
Interval clustered_interval(double mean, double standard_error, std::size_t questions) {
  constexpr double kZ = 1.959963984540054;
  if (standard_error < 1e-12) {  // no spread seen is not certainty
    const auto count = static_cast<double>(questions);
    return wilson_interval(std::llround(mean * count), static_cast<std::int64_t>(questions), kZ);
  }
  return {.low = std::max(mean - kZ * standard_error, 0.0),
          .high = std::min(mean + kZ * standard_error, 1.0)};
}

Accuracy accuracy_of(const RunRecord& run, const Summary& summary, const FilterResult Score::*filter) {
  Accuracy accuracy;
  std::map<std::uint32_t, Mean> questions;
  std::int64_t unknown = std::max<std::int64_t>(summary.n - summary.done, 0);
  for (const auto& trial : run.trials) {
    const bool correct = (trial.score.*filter).correct && trial.outcome != Outcome::failed;
    const bool without_text = trial.outcome == Outcome::failed || trial.outcome == Outcome::lost_parse;
    accuracy.correct += correct ? 1 : 0;
    unknown += without_text && !correct ? 1 : 0;
    questions[trial.id.doc_id].add(correct ? 1 : 0);
  }
  std::vector<double> means;
  means.reserve(questions.size());
  Mean over_questions;
  for (const auto& [doc_id, mean] : questions) {
    means.push_back(mean.value());
    over_questions.add(mean.value());
  }
  accuracy.mean = over_questions.value();
  accuracy.standard_error = standard_error(means);
  accuracy.wilson =
      summary.repeats <= 1
          ? wilson_interval(accuracy.correct, summary.done)
          : clustered_interval(accuracy.mean, accuracy.standard_error.value_or(0), means.size());
  const auto planned = static_cast<double>(std::max<std::int64_t>({summary.n, summary.done, 1}));
  accuracy.bounds = {.low = static_cast<double>(accuracy.correct) / planned,
                     .high = static_cast<double>(accuracy.correct + unknown) / planned};
  return accuracy;
}

bool truncated(Outcome outcome) {
  return outcome == Outcome::cut_in_reasoning || outcome == Outcome::cut_in_answer ||
         outcome == Outcome::rumination || outcome == Outcome::context_full;
}

}  // namespace

std::int64_t planned_questions(const Manifest& manifest) {
  return static_cast<std::int64_t>(rows_under_limit(manifest.trials.limit, manifest.dataset_rows));
}

Summary summarise(const RunRecord& run) {
  Summary summary;
  summary.questions = planned_questions(run.manifest);
  summary.repeats = run.manifest.trials.repeats;
  summary.n = summary.questions * summary.repeats;
  summary.done = static_cast<std::int64_t>(run.trials.size());
  Mean reasoning;
  Mean content;
  for (const auto& trial : run.trials) {
    summary.lost += trial.outcome == Outcome::lost_parse ? 1 : 0;
    summary.failed += trial.outcome == Outcome::failed ? 1 : 0;
    summary.truncated += truncated(trial.outcome) ? 1 : 0;
    summary.rumination += trial.outcome == Outcome::rumination ? 1 : 0;
    summary.context_full += trial.outcome == Outcome::context_full ? 1 : 0;
    const bool whole = trial.outcome != Outcome::lost_parse && trial.outcome != Outcome::failed;
    summary.unparsed += whole && trial.score.flexible.extracted == kInvalid ? 1 : 0;
    summary.retries += trial.retries;
    summary.sampling_mismatches += trial.sampling_mismatch.empty() ? 0 : 1;
    if (trial.tokens.reasoning && whole) {
      reasoning.add(static_cast<double>(*trial.tokens.reasoning));
    }
    if (trial.tokens.content && whole) {
      content.add(static_cast<double>(*trial.tokens.content));
    }
  }
  summary.answered = summary.done - summary.unparsed - summary.lost - summary.failed;
  summary.mean_reasoning_tokens = reasoning.known();
  summary.mean_answer_tokens = content.known();
  summary.flexible = accuracy_of(run, summary, &Score::flexible);
  summary.strict = accuracy_of(run, summary, &Score::strict);
  return summary;
}

}  // namespace gpqa
