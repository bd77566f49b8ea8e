// Numbers and JSON as Python writes them: lm-eval's hashes are taken over this text.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace gpqa {

std::string python_repr(double value);  // "0.1", "1e-05", "1e+16", "3.0", "inf"

struct PythonJsonStyle {
  int indent = 0;  // 0: one line with ", " and ": "
  bool ensure_ascii = false;
};
// json.dumps(value, indent=..., ensure_ascii=...); strings must be valid UTF-8.
std::string python_json(const nlohmann::ordered_json& value, PythonJsonStyle style = {});

}  // namespace gpqa
