// Text from models, servers and file names, made safe for JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gpqa {

bool is_valid_utf8(std::string_view text);

// Each maximal invalid part becomes one U+FFFD, as Python's errors="replace" does it; `replaced` grows by
// their number. Encoded surrogates are invalid, NUL is not.
std::string with_valid_utf8(std::string_view text, std::uint64_t& replaced);
std::string with_valid_utf8(std::string_view text);

}  // namespace gpqa
