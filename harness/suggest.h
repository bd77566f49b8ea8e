// "did you mean ...?" for names that people type.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace gpqa {

// The known name nearest to `typed` (edits of one character, swaps of neighbours, or a part of it), "" if
// none is near enough to be meant.
std::string nearest_name(std::string_view typed, std::span<const std::string> known);

// "; did you mean 'min_p'?", or "; known: a, b, c" where nothing is near.
std::string suggestion(std::string_view typed, std::span<const std::string> known);

}  // namespace gpqa
