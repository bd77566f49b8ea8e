// Chat templates that are known by the SHA-256 of their text.
#pragma once

#include <optional>
#include <string_view>

namespace gpqa {

// The formats that render_chat() renders. `gemma4_first`: of Gemma 4's first release, without tools here.
enum class ChatFormat { gemma4, gemma4_first };

// Of a text as a file has it or as a server shows it; "unknown" else.
std::string_view chat_template_name(std::string_view sha256);
std::optional<ChatFormat> known_chat_format(std::string_view sha256);  // nullopt: not rendered here

}  // namespace gpqa
