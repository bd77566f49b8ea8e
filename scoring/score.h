// scoring/: what lm-eval's filters extract from an answer, and whether it is right.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "scoring/extract_answer.h"

namespace gpqa {

struct FilterResult {
  std::string extracted;  // "[invalid]" where the filter found nothing
  bool correct = false;
  bool operator==(const FilterResult&) const = default;
};

// Says nothing about how the answer ended: a truncated answer can be right in lm-eval, and then it is right
// here.
struct Score {
  FilterResult strict;
  FilterResult flexible;
  bool operator==(const Score&) const = default;
};

// `response` is Completion::content (null content scores as ""); `target` e.g. "(C)".
Score score(std::string_view response, const std::array<std::string, 4>& choices, std::string_view target,
            FlexVariant variant = FlexVariant::v0_4_13);

// lm-eval's exact_match with ignore_case and ignore_punctuation.
bool exact_match(std::string_view extracted, std::string_view target);

}  // namespace gpqa
