// The token of an account at the hub. It is never a flag: others can read those in the list of processes.
#pragma once

#include <string>

namespace gpqa {

// From the file if one is named, else from HF_TOKEN; "" without either. Throws InputError for what is no
// token, and never shows it.
std::string hub_token(const std::string& file);

// "" if only its owner can read the file.
std::string token_file_warning(const std::string& file);

// `text` with the token blotted out, should a server have sent it back.
std::string without_token(std::string text, const std::string& token);

}  // namespace gpqa
