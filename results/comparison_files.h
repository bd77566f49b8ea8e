// A comparison for programs: CSV and JSON.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "results/compare.h"

namespace gpqa {

// One row a variant, RFC 4180. A text that a spreadsheet would take for a formula gets a leading apostrophe.
std::string to_csv(const Comparison& comparison);
nlohmann::ordered_json to_json(const Comparison& comparison);

}  // namespace gpqa
