#include "results/json_reader.h"

#include <charconv>
#include <limits>
#include <system_error>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "results/utf8_text.h"

namespace gpqa {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

}  // namespace

void JsonReader::fail(std::string_view expected) const {
  throw InputError(
      fmt::format("byte {}{}: expected {}", at_, path_.empty() ? "" : ", key '" + path_ + "'", expected));
}

void JsonReader::skip_space() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
    ++at_;
}

bool JsonReader::take(char c) {
  skip_space();
  if (at_ >= text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

bool JsonReader::take_word(std::string_view word) {
  skip_space();
  if (text_.substr(at_, word.size()) != word) return false;
  at_ += word.size();
  return true;
}

bool JsonReader::open_object() {
  if (!take('{')) fail("an object");
  return !take('}');
}

bool JsonReader::more_members() {
  if (take(',')) return true;
  if (!take('}')) fail("',' or '}'");
  return false;
}

void JsonReader::read_key() {
  if (!take('"')) fail("a key");
  read_string(path_);
  if (!take(':')) fail("':'");
}

std::string JsonReader::string() {
  if (!take('"')) fail("a string");
  std::string text;
  read_string(text);
  return text;
}

// Behind the opening quote; appends.
void JsonReader::read_string(std::string& out) {
  const std::size_t before = out.size();
  bool ascii = true;
  for (std::size_t start = at_;; start = at_) {
    const char* at = text_.data() + at_;
    const char* const end = text_.data() + text_.size();
    unsigned char bits = 0;
    for (; at != end; ++at) {
      const auto c = static_cast<unsigned char>(*at);
      if (c == '"' || c == '\\' || c < 0x20) break;
      bits |= c;
    }
    at_ = static_cast<std::size_t>(at - text_.data());
    ascii = ascii && bits < 0x80;
    out.append(text_.substr(start, at_ - start));
    if (at_ >= text_.size()) fail("the end of a string");
    if (text_[at_] == '"') break;
    if (text_[at_] != '\\') fail("no control character in a string");
    ++at_;
    append_escape(out);
  }
  ++at_;
  if (!ascii && !is_valid_utf8(std::string_view(out).substr(before))) fail("valid UTF-8");
}

void JsonReader::append_escape(std::string& out) {
  if (at_ >= text_.size()) fail("an escape");
  switch (text_[at_++]) {
    case '"':
      out += '"';
      return;
    case '\\':
      out += '\\';
      return;
    case '/':
      out += '/';
      return;
    case 'b':
      out += '\b';
      return;
    case 'f':
      out += '\f';
      return;
    case 'n':
      out += '\n';
      return;
    case 'r':
      out += '\r';
      return;
    case 't':
      out += '\t';
      return;
    case 'u':
      break;
    default:
      fail("a known escape");
  }
  std::uint32_t code = hex4();
  if (code >= 0xDC00 && code < 0xE000) fail("no lone surrogate");
  if (code >= 0xD800 && code < 0xDC00) {
    if (text_.substr(at_, 2) != "\\u") fail("no lone surrogate");
    at_ += 2;
    const std::uint32_t low = hex4();
    if (low < 0xDC00 || low >= 0xE000) fail("no lone surrogate");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(out, code);
}

std::uint32_t JsonReader::hex4() {
  std::uint32_t code = 0;
  const std::string_view digits = text_.substr(at_, 4);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (digits.size() != 4 || error != std::errc() || end != digits.data() + 4) fail("four hexadecimal digits");
  at_ += 4;
  return code;
}

// -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
std::string_view JsonReader::number_text(bool* integer) {
  skip_space();
  const std::size_t start = at_;
  const auto digits = [&] {
    if (at_ >= text_.size() || !is_digit(text_[at_])) fail("a number");
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  };
  if (at_ < text_.size() && text_[at_] == '-') ++at_;
  if (at_ < text_.size() && text_[at_] == '0') {
    ++at_;
  } else {
    digits();
  }
  *integer = true;
  if (at_ < text_.size() && text_[at_] == '.') {
    *integer = false;
    ++at_;
    digits();
  }
  if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    *integer = false;
    ++at_;
    if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    digits();
  }
  return text_.substr(start, at_ - start);
}

double JsonReader::number() {
  bool integer = false;
  const std::string_view digits = number_text(&integer);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) fail("a number that a double can hold");
  return value;
}

std::uint64_t JsonReader::unsigned_integer(std::uint64_t max) {
  bool integer = false;
  const std::string_view digits = number_text(&integer);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (!integer || error != std::errc() || end != digits.data() + digits.size() || value > max)
    fail(fmt::format("an integer from 0 to {}, found {}", max, digits));
  return value;
}

std::int64_t JsonReader::signed_integer() {
  bool integer = false;
  const std::string_view digits = number_text(&integer);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (!integer || error != std::errc() || end != digits.data() + digits.size())
    fail(fmt::format("an integer of 64 bits, found {}", digits));
  return value;
}

bool JsonReader::boolean() {
  if (take_word("true")) return true;
  if (!take_word("false")) fail("true or false");
  return false;
}

bool JsonReader::null() {
  return take_word("null");
}

void JsonReader::end() {
  skip_space();
  if (at_ != text_.size()) fail("the end of the line");
}

}  // namespace gpqa
