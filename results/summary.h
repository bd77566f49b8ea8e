// The one place where denominators are defined.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "results/run_record.h"
#include "scoring/statistics.h"

namespace gpqa {

// Of one filter. `correct` counts trials; with repeats the accuracy is the mean over questions of their mean.
struct Accuracy {
  std::int64_t correct = 0;
  double mean = 0;                       // over all n questions
  Interval wilson;                       // 95%; of correct / n trials, meaningful for one repeat
  std::optional<double> standard_error;  // over question means: clustered by question
  Interval bounds;                       // what lost and failed trials (and only they) could make of the mean
};

struct Summary {
  std::int64_t questions = 0;
  std::int64_t repeats = 0;
  std::int64_t n = 0;          // trials planned (questions x repeats): the denominator
  std::int64_t done = 0;       // trials recorded
  std::int64_t answered = 0;   // a filter found something (flexible)
  std::int64_t unparsed = 0;   // done, neither lost nor failed, flexible found nothing
  std::int64_t truncated = 0;  // cut_in_reasoning, cut_in_answer, rumination, context_full
  std::int64_t rumination = 0;
  std::int64_t lost = 0;  // lost_parse
  std::int64_t failed = 0;
  std::int64_t retries = 0;
  std::int64_t sampling_mismatches = 0;
  Accuracy flexible;
  Accuracy strict;
  double mean_reasoning_tokens = 0;  // over trials that report them
  double mean_answer_tokens = 0;
};

// The planned number of questions comes from the manifest (rows under its limit), so an unfinished run shows
// it.
Summary summarise(const RunRecord& run);
std::int64_t planned_questions(const Manifest& manifest);

}  // namespace gpqa
