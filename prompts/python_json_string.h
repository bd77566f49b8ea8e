// A string literal as Python's json.dumps(..., ensure_ascii=False) writes it.
#pragma once

#include <string>
#include <string_view>

namespace gpqa {

// With its quotes. Only `"`, `\` and control characters are escaped; other text stays as it is.
std::string python_json_string(std::string_view utf8);

}  // namespace gpqa
