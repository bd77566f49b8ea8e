// Tools as Gemma 4 reads them: declarations for the system turn, arguments, answers.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace gpqa {

// Of {"type": "function", "function": {name, description, parameters, response}}, as the template declares
// it, without the tags around it.
std::string tool_declaration(const nlohmann::json& tool);

// A value in the model's own notation: strings between `<|"|>`, keys sorted.
std::string tool_argument(const nlohmann::json& value, bool quote_keys);

// KEY:VALUE,... of an object: what stands between a call's braces.
std::string tool_arguments(const nlohmann::json& object);

// Without white space at both ends: ASCII's, as llama.cpp's templates have it.
std::string_view trim_template_text(std::string_view text);

}  // namespace gpqa
