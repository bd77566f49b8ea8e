#include "results/python_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

// The code point at `i` of valid UTF-8, which is then behind it.
std::uint32_t next_code_point(std::string_view text, std::size_t& i) {
  const auto lead = static_cast<unsigned char>(text[i++]);
  if (lead < 0x80) return lead;
  const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  std::uint32_t code = lead & (0x3FU >> more);
  for (int k = 0; k < more && i < text.size(); ++k)
    code = code << 6 | (static_cast<unsigned char>(text[i++]) & 0x3FU);
  return code;
}

void append_string(std::string& out, std::string_view text, bool ensure_ascii) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    const std::uint32_t code = next_code_point(text, i);
    switch (code) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        // Python escapes DEL only with ensure_ascii's regular expression, [^ -~].
        if (code < 0x20 || (ensure_ascii && code >= 0x7F && code < 0x10000))
          out += fmt::format("\\u{:04x}", code);
        else if (ensure_ascii && code >= 0x10000)
          out +=
              fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF));
        else
          out += text.substr(start, i - start);
    }
  }
  out += '"';
}

std::string json_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return python_repr(value);
}

void append(std::string& out, const Json& value, PythonJsonStyle style, int depth) {
  const auto line = [&](int d) {
    if (style.indent > 0) out += '\n' + std::string(static_cast<std::size_t>(style.indent * d), ' ');
  };
  const std::string_view comma = style.indent > 0 ? "," : ", ";
  switch (value.type()) {
    case Json::value_t::object: {
      out += '{';
      bool first = true;
      for (const auto& [key, item] : value.items()) {
        if (!first) out += comma;
        first = false;
        line(depth + 1);
        append_string(out, key, style.ensure_ascii);
        out += ": ";
        append(out, item, style, depth + 1);
      }
      if (!first) line(depth);
      out += '}';
      break;
    }
    case Json::value_t::array: {
      out += '[';
      bool first = true;
      for (const auto& item : value) {
        if (!first) out += comma;
        first = false;
        line(depth + 1);
        append(out, item, style, depth + 1);
      }
      if (!first) line(depth);
      out += ']';
      break;
    }
    case Json::value_t::string:
      append_string(out, value.get_ref<const std::string&>(), style.ensure_ascii);
      break;
    case Json::value_t::number_float:
      out += json_number(value.get<double>());
      break;
    default:
      out += value.dump();  // integers, booleans and null are the same in both
  }
}

}  // namespace

// The shortest digits that read back as the same double; an exponent outside 1e-4 <= |x| < 1e16.
std::string python_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 40> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  std::string_view text(buffer.data(), static_cast<std::size_t>(end.ptr - buffer.data()));
  std::string out;
  if (text.front() == '-') {
    out = "-";
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  int exponent = 0;
  const std::size_t sign = text[e + 1] == '+' ? 2 : 1;  // from_chars takes no '+'
  std::from_chars(text.data() + e + sign, text.data() + text.size(), exponent);
  std::string digits(1, text.front());
  if (e > 2) digits += text.substr(2, e - 2);

  const auto count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (count > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  const auto point = static_cast<std::size_t>(exponent + 1);  // digits in front of it
  if (count <= exponent + 1) return out + digits + std::string(point - digits.size(), '0') + ".0";
  return out + digits.substr(0, point) + "." + digits.substr(point);
}

std::string python_json(const Json& value, PythonJsonStyle style) {
  std::string out;
  append(out, value, style, 0);
  return out;
}

}  // namespace gpqa
