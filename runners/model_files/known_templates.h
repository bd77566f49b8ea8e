// Chat templates that are known by the SHA-256 of their text.
#pragma once

#include <string_view>

namespace gpqa {

// Of a text as a file has it or as a server shows it; "unknown" else.
std::string_view chat_template_name(std::string_view sha256);

}  // namespace gpqa
