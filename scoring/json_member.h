// A member of a JSON object as it is written: a number keeps its digits, and depth costs nothing.
#pragma once

#include <string_view>

namespace gpqa {

// `object` must be one that a parser has taken. Of two members of one name the last counts, as in Python.
// Empty: there is none.
std::string_view written_member(std::string_view object, std::string_view key);

}  // namespace gpqa
