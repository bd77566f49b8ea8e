// SHA-256, as data sets, prompts and model files are identified.
#pragma once

#include <string>
#include <string_view>

namespace gpqa {

std::string sha256_hex(std::string_view bytes);  // 64 lower-case hex digits

}  // namespace gpqa
