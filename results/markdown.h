// Tables for people.
#pragma once

#include <string>

#include "results/compare.h"

namespace gpqa {

std::string to_markdown(const Comparison& comparison);

// Makes text from models, servers and plans inert in a markdown table and a terminal: control characters
// (ANSI escapes among them) become visible escapes, and markdown's own characters are escaped.
std::string markdown_escape(std::string_view text);
// The same for a terminal: only control characters change; '\n' and '\t' stay.
std::string terminal_escape(std::string_view text);

}  // namespace gpqa
