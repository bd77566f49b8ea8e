// Python 3.11's string semantics, as lm-eval's filters and metric meet them. Text is UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace gpqa {

// str.lower(): full mappings, final sigma by its context.
std::string python_lower(std::string_view utf8);

// Without the characters whose category is punctuation (P*); symbols stay.
std::string without_punctuation(std::string_view utf8);

// Without string.punctuation: the 32 ASCII ones, symbols among them.
std::string without_ascii_punctuation(std::string_view utf8);

}  // namespace gpqa
