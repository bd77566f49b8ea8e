#include "scoring/score.h"

#include "scoring/python_text.h"

namespace gpqa {
namespace {

// What numpy compares: it drops trailing NULs from its strings.
std::string comparable(std::string_view text) {
  std::string folded = without_ascii_punctuation(python_lower(text));
  folded.erase(folded.find_last_not_of('\0') + 1);
  return folded;
}

}  // namespace

bool exact_match(std::string_view extracted, std::string_view target) {
  return comparable(extracted) == comparable(target);
}

Score score(std::string_view response, const std::array<std::string, 4>& choices, std::string_view target,
            FlexVariant variant) {
  Score result;
  result.strict.extracted = extract_strict(response);
  result.strict.correct = exact_match(result.strict.extracted, target);
  result.flexible.extracted = extract_flexible(response, choices, variant).answer;
  result.flexible.correct = exact_match(result.flexible.extracted, target);
  return result;
}

}  // namespace gpqa
