// A comparison for programs: CSV and JSON.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "results/compare.h"

namespace gpqa {

// One row a variant, RFC 4180; empty where a figure isn't known. A text that a spreadsheet would take for a
// formula (= + - @ or a tab in front) gets a leading apostrophe; control characters are shown as escapes.
std::string to_csv(const Comparison& comparison);
nlohmann::ordered_json to_json(const Comparison& comparison);

}  // namespace gpqa
