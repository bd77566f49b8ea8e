#include "runners/remote/json_reader.h"

#include <array>
#include <charconv>
#include <system_error>

#include <fmt/format.h>

namespace gpqa {
namespace {

constexpr int kMaxDepth = 64;  // a chat chunk needs six

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Bytes that stand for themselves inside a string.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) {
    plain[c] = c != '"' && c != '\\';
  }
  return plain;
}();

void append_utf8(std::string& text, std::uint32_t code) {
  const auto byte = [](std::uint32_t bits) { return static_cast<char>(bits); };
  if (code < 0x80) {
    text += byte(code);
  } else if (code < 0x800) {
    text += {byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F))};
  } else if (code < 0x10000) {
    text += {byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F))};
  } else {
    text += {byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)), byte(0x80 | (code >> 6 & 0x3F)),
             byte(0x80 | (code & 0x3F))};
  }
}

}  // namespace

std::size_t utf8_sequence(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : static_cast<unsigned char>(0);
  };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  const unsigned char lead = at(0);
  if (bytes.empty()) {
    return 0;
  }
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return tail(1) ? 2 : 0;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    // No overlong form, no surrogate.
    const bool second = tail(1) && (lead != 0xE0 || at(1) >= 0xA0) && (lead != 0xED || at(1) <= 0x9F);
    return second && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = tail(1) && (lead != 0xF0 || at(1) >= 0x90) && (lead != 0xF4 || at(1) <= 0x8F);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

std::optional<std::int64_t> to_integer(std::string_view number) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  return error == std::errc() && end == number.data() + number.size() ? std::optional(value) : std::nullopt;
}

double to_double(std::string_view number) {
  double value = 0;
  std::from_chars(number.data(), number.data() + number.size(), value);  // out of range: stays 0
  return value;
}

void JsonReader::fail(const char* expected) const {
  throw JsonError(fmt::format("not JSON at byte {}: expected {}", at_, expected));
}

void JsonReader::skip_space() {
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
    ++at_;
  }
}

JsonReader::Kind JsonReader::kind() {
  skip_space();
  switch (at_ < text_.size() ? text_[at_] : '\0') {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      if (at_ < text_.size() && (text_[at_] == '-' || is_digit(text_[at_]))) {
        return Kind::number;
      }
      fail("a value");
  }
}

bool JsonReader::enter(char open, char close) {
  skip_space();
  if (at_ == text_.size() || text_[at_] != open) {
    fail(open == '{' ? "an object" : "an array");
  }
  if (++depth_ > kMaxDepth) {
    fail("less depth");
  }
  ++at_;
  skip_space();
  if (at_ < text_.size() && text_[at_] == close) {
    ++at_;
    return false;
  }
  return true;
}

bool JsonReader::next(char close) {
  skip_space();
  if (at_ < text_.size() && text_[at_] == ',') {
    ++at_;
    return true;
  }
  if (at_ < text_.size() && text_[at_] == close) {
    ++at_;
    return false;
  }
  fail("a comma or the end of an object or array");
}

std::string_view JsonReader::key() {
  const std::string_view name = string();
  skip_space();
  if (at_ == text_.size() || text_[at_] != ':') {
    fail("a colon");
  }
  ++at_;
  return name;
}

std::string_view JsonReader::string() {
  skip_space();
  if (at_ == text_.size() || text_[at_] != '"') {
    fail("a string");
  }
  const std::size_t begin = ++at_;
  std::size_t copied = begin;  // what stands before is in decoded_
  bool escaped = false;
  while (true) {
    while (at_ < text_.size() && kPlain[static_cast<unsigned char>(text_[at_])]) {
      ++at_;
    }
    if (at_ == text_.size()) {
      fail("the end of a string");
    }
    if (text_[at_] == '"') {
      const std::string_view rest = text_.substr(copied, at_++ - copied);
      return escaped ? decoded_.append(rest) : rest;
    }
    if (text_[at_] == '\\') {
      if (!escaped) {
        decoded_.clear();
        escaped = true;
      }
      decoded_.append(text_.substr(copied, at_++ - copied));
      escape();
      copied = at_;
      continue;
    }
    const auto length = utf8_sequence(text_.substr(at_));
    if (length < 2) {
      fail("UTF-8 without control characters");
    }
    at_ += length;
  }
}

void JsonReader::escape() {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  const char name = at_ < text_.size() ? text_[at_] : '\0';
  if (const auto known = kNames.find(name); known != std::string_view::npos) {
    decoded_ += kMeant[known];
    ++at_;
    return;
  }
  if (name != 'u') {
    fail("an escape");
  }
  ++at_;
  std::uint32_t code = four_hex();
  if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
    at_ += 2;
    const std::uint32_t low = four_hex();
    if (low < 0xDC00 || low >= 0xE000) {
      fail("the second half of a surrogate pair");
    }
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  } else if (code >= 0xD800 && code < 0xE000) {
    fail("a surrogate pair");
  }
  append_utf8(decoded_, code);
}

std::uint32_t JsonReader::four_hex() {
  std::uint32_t code = 0;
  const char* begin = text_.data() + at_;
  const bool whole = at_ + 4 <= text_.size();
  if (!whole || std::from_chars(begin, begin + 4, code, 16).ptr != begin + 4) {
    fail("four hexadecimal digits");
  }
  at_ += 4;
  return code;
}

void JsonReader::digits() {
  if (at_ == text_.size() || !is_digit(text_[at_])) {
    fail("a digit");
  }
  while (at_ < text_.size() && is_digit(text_[at_])) {
    ++at_;
  }
}

std::string_view JsonReader::number() {
  skip_space();
  const std::size_t begin = at_;
  if (at_ < text_.size() && text_[at_] == '-') {
    ++at_;
  }
  if (at_ < text_.size() && text_[at_] == '0') {
    ++at_;  // no digit may follow
  } else {
    digits();
  }
  if (at_ < text_.size() && text_[at_] == '.') {
    ++at_;
    digits();
  }
  if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    ++at_;
    if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) {
      ++at_;
    }
    digits();
  }
  return text_.substr(begin, at_ - begin);
}

void JsonReader::literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) {
    fail("true, false or null");
  }
  at_ += word.size();
}

bool JsonReader::boolean() {
  skip_space();
  const bool value = at_ < text_.size() && text_[at_] == 't';
  literal(value ? "true" : "false");
  return value;
}

std::string_view JsonReader::skip() {
  skip_space();
  const std::size_t begin = at_;
  switch (kind()) {
    case Kind::object:
      object([this](std::string_view) { skip(); });
      break;
    case Kind::array:
      array([this] { skip(); });
      break;
    case Kind::string:
      string();
      break;
    case Kind::number:
      number();
      break;
    case Kind::boolean:
      boolean();
      break;
    case Kind::null:
      literal("null");
      break;
  }
  return text_.substr(begin, at_ - begin);
}

void JsonReader::end() {
  skip_space();
  if (at_ != text_.size()) {
    fail("the end");
  }
}

}  // namespace gpqa
