// Numbers and JSON as Python writes them: lm-eval's hashes are taken over this text.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace gpqa {

std::string python_repr(double value);  // "0.1", "1e-05", "1e+16", "3.0", "inf"

// json.dumps(value, indent=indent or None, ensure_ascii=False); strings must be valid UTF-8.
std::string python_json(const nlohmann::ordered_json& value, int indent = 0);

}  // namespace gpqa
