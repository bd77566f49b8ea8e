// The one place where denominators are defined.
#pragma once

#include <cstdint>
#include <optional>

#include "results/run_record.h"
#include "scoring/statistics.h"

namespace gpqa {

// Of one filter, over the trials that are recorded, failed ones among them: those are not correct, and the
// bounds say what they could have been.
struct Accuracy {
  std::int64_t correct = 0;  // trials
  double mean = 0;           // over questions, of the mean over a question's repeats
  Interval wilson;  // 95%, of correct / done; for more repeats: mean -+ 1.96 standard errors, and where all
                    // questions have one mean, Wilson's of so many questions
  std::optional<double> standard_error;  // over question means, so clustered by question
  Interval bounds;  // of the whole run: lost, failed and missing trials all wrong, or all right
};

struct Summary {
  std::int64_t questions = 0;  // planned
  std::int64_t repeats = 0;
  std::int64_t n = 0;         // trials planned: questions x repeats
  std::int64_t done = 0;      // trials recorded; the denominator. n of them in a finished run
  std::int64_t answered = 0;  // done - unparsed - lost - failed
  std::int64_t unparsed = 0;  // neither lost nor failed, and the flexible filter found nothing
  std::int64_t truncated =
      0;  // cut_in_reasoning, cut_in_answer, rumination, context_full; scored as they are
  std::int64_t rumination = 0;
  std::int64_t context_full = 0;
  std::int64_t lost = 0;  // lost_parse
  std::int64_t failed = 0;
  std::int64_t retries = 0;
  std::int64_t sampling_mismatches = 0;
  Accuracy flexible;
  Accuracy strict;
  std::optional<double> mean_reasoning_tokens;  // over trials that report them
  std::optional<double> mean_answer_tokens;
};

Summary summarise(const RunRecord& run);
std::int64_t planned_questions(const Manifest& manifest);

}  // namespace gpqa
