// One line of `gpqa extract`.
#pragma once

#include <string>
#include <string_view>

#include "scoring/extract_answer.h"

namespace gpqa {

// Reads {"id", "choices", "target", "response"} (response null or absent: an empty answer) and gives
// {"id", "strict_extracted", "strict_score", "flex_extracted", "flex_score"} without a newline.
// A lone surrogate (\ud800), which no UTF-8 can hold, is read as U+FFFD.
// Throws InputError naming the key at fault.
std::string extract_json_line(std::string_view line, FlexVariant variant = FlexVariant::v0_4_13);

}  // namespace gpqa
