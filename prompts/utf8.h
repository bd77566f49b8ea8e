// UTF-8, one character after another, by ICU's rules.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <unicode/utf8.h>

namespace gpqa {

// Calls visit(code, bytes) for each character; for each maximal part that is no UTF-8, with a negative code.
template <class Visit>
void each_character(std::string_view text, Visit&& visit) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto size = static_cast<std::int64_t>(text.size());
  for (std::int64_t i = 0; i < size;) {
    const auto start = i;
    UChar32 code = 0;
    U8_NEXT(bytes, i, size, code);
    visit(code, text.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(i - start)));
  }
}

bool is_valid_utf8(std::string_view text);

// Each maximal invalid part becomes one U+FFFD, as Python's bytes.decode("utf-8", "replace") does it;
// `replaced` grows by their number. Encoded surrogates are invalid, NUL is not.
std::string with_valid_utf8(std::string_view text, std::uint64_t& replaced);
std::string with_valid_utf8(std::string_view text);

}  // namespace gpqa
