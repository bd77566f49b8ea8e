#include "prompts/utf8.h"

namespace gpqa {

bool is_valid_utf8(std::string_view text) {
  bool valid = true;
  each_character(text, [&](UChar32 code, std::string_view) { valid = valid && code >= 0; });
  return valid;
}

std::string with_valid_utf8(std::string_view text, std::uint64_t& replaced) {
  std::string valid;
  valid.reserve(text.size());
  each_character(text, [&](UChar32 code, std::string_view bytes) {
    valid += code >= 0 ? bytes : "\uFFFD";
    replaced += code >= 0 ? 0 : 1;
  });
  return valid;
}

std::string with_valid_utf8(std::string_view text) {
  std::uint64_t ignored = 0;
  return with_valid_utf8(text, ignored);
}

}  // namespace gpqa
