#include "scoring/python_text.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>

#include <unicode/ucasemap.h>
#include <unicode/uchar.h>

#include "prompts/python_strip.h"
#include "prompts/utf8.h"

namespace gpqa {
namespace {

constexpr std::size_t kMaxPiece = std::size_t{1} << 30;

bool continues(char byte) {  // inside a code point
  return (static_cast<unsigned char>(byte) & 0xC0u) == 0x80u;
}

const UCaseMap* root_locale() {
  struct Close {
    void operator()(UCaseMap* map) const { ucasemap_close(map); }
  };
  static const std::unique_ptr<UCaseMap, Close> map = [] {
    UErrorCode status = U_ZERO_ERROR;
    std::unique_ptr<UCaseMap, Close> opened(ucasemap_open("", 0, &status));
    if (U_FAILURE(status)) {
      throw std::runtime_error(std::string("ICU can't map case: ") + u_errorName(status));
    }
    return opened;
  }();
  return map.get();
}

void append_lower(std::string& out, std::string_view utf8) {
  if (utf8.size() > kMaxPiece) {
    throw std::length_error("a text of more than a gigabyte");  // ICU counts in 32 bits
  }
  // U+0130 and U+023A grow from two bytes to three; nothing grows by more than half.
  const auto start = out.size();
  out.resize(start + utf8.size() + utf8.size() / 2 + 4);
  UErrorCode status = U_ZERO_ERROR;
  const auto length =
      ucasemap_utf8ToLower(root_locale(), out.data() + start, static_cast<std::int32_t>(out.size() - start),
                           utf8.data(), static_cast<std::int32_t>(utf8.size()), &status);
  if (U_FAILURE(status)) {
    throw std::runtime_error(std::string("ICU can't map case: ") + u_errorName(status));
  }
  out.resize(start + static_cast<std::size_t>(length));
}

}  // namespace

std::size_t python_len(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return !continues(c); }));
}

std::string_view python_prefix(std::string_view utf8, std::size_t count) {
  std::size_t at = 0;
  while (at < utf8.size() && (count > 0 || continues(utf8[at]))) {
    count -= continues(utf8[at++]) ? 0 : 1;
  }
  return utf8.substr(0, at);
}

std::string python_lower(std::string_view utf8) {
  // A character that Python doesn't know is neither cased nor passed over in the final sigma's context: what
  // stands on its two sides doesn't see one another.
  std::string out;
  std::size_t piece = 0;
  each_character(utf8, [&](UChar32 code, std::string_view bytes) {
    if (code >= 0x80 && !known_to_python(static_cast<char32_t>(code))) {
      const auto start = static_cast<std::size_t>(bytes.data() - utf8.data());
      append_lower(out, utf8.substr(piece, start - piece));
      out += bytes;
      piece = start + bytes.size();
    }
  });
  append_lower(out, utf8.substr(piece));
  return out;
}

std::string without_punctuation(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  each_character(utf8, [&](UChar32 code, std::string_view bytes) {
    const bool punctuation =
        code >= 0 && (U_GET_GC_MASK(code) & U_GC_P_MASK) != 0 && known_to_python(static_cast<char32_t>(code));
    out += punctuation ? "" : bytes;
  });
  return out;
}

std::string without_ascii_punctuation(std::string_view utf8) {
  constexpr std::string_view kPunctuation = R"(!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~)";
  std::string out;
  for (const char c : utf8) {
    if (kPunctuation.find(c) == std::string_view::npos) {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace gpqa
