// Text from models, servers and plans, made harmless where it is shown.
#pragma once

#include <string>
#include <string_view>

namespace gpqa {

// For a terminal: control characters (ANSI escapes among them), bidirectional overrides, invisible
// characters and bytes that are not UTF-8 become visible escapes (\x1b, \u202e); '\n' and '\t' stay.
std::string terminal_escape(std::string_view text);

// For a cell of a markdown table: the same, on one line, and markdown's own characters are escaped.
std::string markdown_escape(std::string_view text);

}  // namespace gpqa
