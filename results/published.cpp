// The figures of the model card "Gemma 4 A4B 98-Expert v3 (20.8B)".
#include <array>

#include "results/compare.h"
#include "results/verdict.h"

namespace gpqa {
namespace {

constexpr std::int64_t kQuestions = 198;

struct Published {
  const char* name;
  std::int64_t experts;  // 0: a dense model
  std::int64_t correct;  // of 198, flexible
  const char* contaminated;
};
constexpr std::array kRows = {
    Published{"gemma-4-26B-A4B-it", 128, 149, ""}, Published{"gemma-4-A4B-98e-v3-it", 98, 149, ""},
    Published{"gemma-4-A4B-109e-v3-it", 109, 142, "GPQA itself (protection per question)"},
    Published{"gemma-4-E4B", 0, 113, ""}};

Summary summary_of(std::int64_t correct) {
  Summary summary;
  summary.questions = summary.n = summary.done = kQuestions;
  summary.repeats = 1;
  const double mean = static_cast<double>(correct) / kQuestions;
  summary.flexible = {.correct = correct,
                      .mean = mean,
                      .wilson = wilson_interval(correct, kQuestions),
                      .standard_error = std::nullopt,
                      .bounds = {.low = mean, .high = mean}};
  return summary;
}

}  // namespace

Comparison published_comparison() {
  Comparison comparison;
  comparison.title = "GPQA Diamond, as the card published it (Q6_K, one run each)";
  const auto& reference = kRows.front();
  for (const auto& row : kRows) {
    ComparedVariant variant;
    variant.name = row.name;
    if (row.experts > 0) {
      variant.experts = row.experts;
    }
    variant.summary = summary_of(row.correct);
    variant.counts_only = true;
    variant.contaminated = row.contaminated;
    variant.reference = &row == &reference;
    if (!variant.reference) {
      variant.unpaired = {.delta = static_cast<double>(row.correct - reference.correct) / kQuestions,
                          .p = two_proportion_p(row.correct, kQuestions, reference.correct, kQuestions)};
      variant.verdict = unpaired_verdict(*variant.unpaired, reference.correct, row.correct, kQuestions);
    }
    comparison.variants.push_back(std::move(variant));
  }
  comparison.notes = {
      "Intervals are 95% (Wilson); p is of the pooled two-proportion z test. The card gives counts, not "
      "answers: which questions flipped is not known, so nothing can be paired. Its -3.53 pp is a difference "
      "of rounded percentages; 7 of 198 are 3.54.",
      "The published figures disagree with one another, by card, quant and date: 128e 75.25 / 81.82 / 73.23, "
      "109e 71.72 / 80.30 / 77.78, 98e 75.25 / about 67.",
      "Contaminated: 109e's drop map was calibrated on the evaluated questions. 98e's was not by the card, "
      "but "
      "was by its author's build script."};
  return comparison;
}

}  // namespace gpqa
