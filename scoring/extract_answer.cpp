#include "scoring/extract_answer.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>

#include "prompts/python_strip.h"
#include "prompts/utf8.h"
#include "scoring/pattern.h"
#include "scoring/python_text.h"

namespace gpqa {
namespace {

std::optional<std::string> last_match(const Pattern& pattern, std::string_view text) {
  std::optional<std::string> last;
  pattern.each_match(text, [&](std::string_view match) {
    last = match;
    return true;
  });
  return last;
}

std::string letter(std::size_t index) {
  return {'(', static_cast<char>('A' + index), ')'};
}

// The filter's view of a text: lower case, then without punctuation.
std::string folded(std::string_view text) {
  return without_punctuation(python_lower(text));
}

// std::string_view::find takes quadratic time where text and key repeat themselves; memmem doesn't.
std::size_t find_key(std::string_view text, std::string_view key, std::size_t from) {
  const auto* hit =
      static_cast<const char*>(memmem(text.data() + from, text.size() - from, key.data(), key.size()));
  return hit != nullptr ? static_cast<std::size_t>(hit - text.data()) : std::string_view::npos;
}

// Step 2: the last place where a choice's text stands in the answer. nullopt: nowhere, or a choice without
// text is among them, which matches everywhere and last of all at the end, as an empty answer.
std::optional<std::string> find_choice_text(std::string_view response,
                                            const std::array<std::string, 4>& choices, FlexVariant variant) {
  std::array<std::string, 4> keys;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = folded(python_strip(with_valid_utf8(choices[i])));
    if (keys[i].empty()) {
      return std::nullopt;
    }
  }
  // Two keys that match at one place are prefixes of one another, so any measure of length orders them alike.
  auto order = keys;
  if (variant == FlexVariant::v0_4_13) {
    std::stable_sort(order.begin(), order.end(),
                     [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  }
  const std::string text = folded(response);
  std::array<std::size_t, 4> next{};  // where each key stands next
  for (std::size_t i = 0; i < order.size(); ++i) {
    next[i] = find_key(text, order[i], 0);
  }
  const std::string* last = nullptr;
  for (;;) {
    const auto first =
        std::min_element(next.begin(), next.end());  // the first in order of those at one place
    if (*first == std::string_view::npos) {
      break;
    }
    last = &order[static_cast<std::size_t>(first - next.begin())];
    const std::size_t end = *first + last->size();
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (next[i] < end) {
        next[i] = find_key(text, order[i], end);
      }
    }
  }
  if (last == nullptr) {
    return std::nullopt;
  }
  const std::string_view match = python_strip(*last);
  // Equal keys share the last one's letter; a key that stripping changed is answered as it stands.
  for (std::size_t i = keys.size(); i-- > 0;) {
    if (keys[i] == match) {
      return letter(i);
    }
  }
  return match.empty() ? std::nullopt : std::optional(std::string(match));
}

}  // namespace

std::string extract_strict(std::string_view response) {
  const std::string text = with_valid_utf8(response);
  static const Pattern pattern("(?<=The answer is )(.*)(?=.)");
  std::string answer(kInvalid);
  pattern.each_match(text, [&](std::string_view match) {
    answer = python_strip(match);
    return false;
  });
  return answer;
}

std::string_view lm_eval_release(FlexVariant variant) {
  return variant == FlexVariant::v0_4_12 ? "0.4.12" : "0.4.13";
}

FlexExtraction extract_flexible(std::string_view response, const std::array<std::string, 4>& choices,
                                FlexVariant variant) {
  const std::string text = with_valid_utf8(response);
  static const Pattern in_parentheses(R"((\([A-Z]\)))");
  if (auto match = last_match(in_parentheses, text)) {
    return {.answer = std::move(*match), .rule = FlexRule::letter_in_parentheses};
  }
  if (auto match = find_choice_text(text, choices, variant)) {
    return {.answer = std::move(*match), .rule = FlexRule::choice_text};
  }
  static const Pattern after_colon(":" + std::string(kPythonSpaceClass) + "*([A-D])");
  if (const auto match = last_match(after_colon, text)) {
    return {.answer = "(" + *match + ")", .rule = FlexRule::letter_after_colon};
  }
  return {.answer = std::string(kInvalid), .rule = FlexRule::none};
}

}  // namespace gpqa
