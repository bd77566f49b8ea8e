// The two filters of `gpqa_diamond_cot_zeroshot`, with Python's string semantics. Bytes that are no UTF-8
// count as U+FFFD, as Python's HTTP clients decode them. Time is linear in the answer. An answer that can't
// be searched throws std::runtime_error: it is never "[invalid]".
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace gpqa {

inline constexpr std::string_view kInvalid = "[invalid]";

// In which order the choices are tried against the text: longest first since lm-eval 0.4.13, as listed in
// 0.4.12.
enum class FlexVariant { v0_4_12, v0_4_13 };
std::string_view lm_eval_release(FlexVariant variant);  // e.g. "0.4.13"

// `strict-match`: what follows the first "The answer is " on its line, less the last code point.
std::string extract_strict(std::string_view response);

// How flexible-extract found its answer, for `gpqa show`.
enum class FlexRule { letter_in_parentheses, choice_text, letter_after_colon, none };
struct FlexExtraction {
  std::string answer;  // "(B)", a choice's text where its key was broken, or "[invalid]"
  FlexRule rule = FlexRule::none;
};
// `flexible-extract`.
FlexExtraction extract_flexible(std::string_view response, const std::array<std::string, 4>& choices,
                                FlexVariant variant = FlexVariant::v0_4_13);

}  // namespace gpqa
