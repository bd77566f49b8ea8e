// Python 3.11's string semantics, as lm-eval's filters and metric meet them. Text is UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gpqa {

std::size_t python_len(std::string_view utf8);                             // len(str)
std::string_view python_prefix(std::string_view utf8, std::size_t count);  // str[:count]

// str.lower(): full mappings, final sigma by its context.
std::string python_lower(std::string_view utf8);

// Without the characters whose category is punctuation (P*); symbols stay.
std::string without_punctuation(std::string_view utf8);

// Without string.punctuation: the 32 ASCII ones, symbols among them.
std::string without_ascii_punctuation(std::string_view utf8);

}  // namespace gpqa
