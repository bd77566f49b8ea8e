// One line of `gpqa extract`.
#pragma once

#include <string>
#include <string_view>

#include "scoring/extract_answer.h"

namespace gpqa {

// Reads {"id", "choices", "target", "response"} (response null or absent: an empty answer) and gives
// {"id", "strict_extracted", "strict_score", "flex_extracted", "flex_score"} without a newline. The id is any
// JSON value and comes back as it was written. Lone surrogates (\ud800) are kept.
// Throws InputError naming the key or the byte at fault.
std::string extract_json_line(std::string_view line, FlexVariant variant = FlexVariant::v0_4_13);

}  // namespace gpqa
