#include "scoring/score.h"

#include "prompts/utf8.h"
#include "scoring/python_text.h"

namespace gpqa {
namespace {

// What numpy compares. Its strings keep their width when they are lower-cased, so what no longer fits is cut
// off (U+0130 becomes two code points); trailing NULs are its padding.
std::string comparable(std::string_view bytes) {
  const std::string text = with_valid_utf8(bytes);
  const std::string lower = python_lower(text);
  std::string folded = without_ascii_punctuation(python_prefix(lower, python_len(text)));
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
