#include "prompts/python_strip.h"

#include <algorithm>
#include <cstdint>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

namespace gpqa {

bool known_to_python(char32_t code) {
  if (code < 0x80) {
    return true;
  }
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(code), age);
  return age[0] >= 1 && age[0] <= 14;
}

bool is_python_space(char32_t code) {
  switch (code) {
    case 0x09:
    case 0x0A:
    case 0x0B:
    case 0x0C:
    case 0x0D:
    case 0x1C:
    case 0x1D:
    case 0x1E:
    case 0x1F:
    case 0x20:
    case 0x85:
    case 0xA0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202F:
    case 0x205F:
    case 0x3000:
      return true;
    default:
      return code >= 0x2000 && code <= 0x200A;
  }
}

bool is_python_word(char32_t code) {
  constexpr std::uint32_t kLettersAndNumbers = U_GC_L_MASK | U_GC_N_MASK;
  return code == U'_' ||
         ((U_GET_GC_MASK(static_cast<UChar32>(code)) & kLettersAndNumbers) != 0 && known_to_python(code));
}

std::string_view python_strip(std::string_view utf8) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(utf8.data());
  const auto size = static_cast<std::int64_t>(utf8.size());
  std::int64_t begin = 0;
  while (begin < size) {
    std::int64_t next = begin;
    UChar32 code = 0;
    U8_NEXT(bytes, next, size, code);
    if (code < 0 || !is_python_space(static_cast<char32_t>(code))) {
      break;
    }
    begin = next;
  }
  std::int64_t end = size;
  while (end > begin) {
    // U8_PREV counts in 32 bits: look at one character's bytes only.
    const auto window = static_cast<std::int32_t>(std::min<std::int64_t>(end - begin, U8_MAX_LENGTH));
    std::int32_t at = window;
    UChar32 code = 0;
    U8_PREV(bytes + end - window, 0, at, code);
    if (code < 0 || !is_python_space(static_cast<char32_t>(code))) {
      break;
    }
    end -= window - at;
  }
  return utf8.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

}  // namespace gpqa
