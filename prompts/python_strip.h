// Python's idea of white space and of word characters (3.11, Unicode 14.0).
#pragma once

#include <string_view>

namespace gpqa {

bool is_python_space(char32_t code);                   // str.isspace, and `\s` of re
bool is_python_word(char32_t code);                    // `\w` of re: letters, numbers, underscore
std::string_view python_strip(std::string_view utf8);  // str.strip()

// ICU knows newer Unicode than Python 3.11: what came after 14.0 is unassigned there.
bool known_to_python(char32_t code);

}  // namespace gpqa
