#include "results/python_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/python_json_string.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

std::string json_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return python_repr(value);
}

void append(std::string& out, const Json& value, int indent, int depth) {
  const auto line = [&](int d) {
    if (indent > 0) out += '\n' + std::string(static_cast<std::size_t>(indent * d), ' ');
  };
  const auto list = [&](char open, char close, auto&& append_item) {
    out += open;
    bool first = true;
    for (const auto& item : value.items()) {
      if (!first) out += indent > 0 ? "," : ", ";
      first = false;
      line(depth + 1);
      append_item(item);
    }
    if (!first) line(depth);
    out += close;
  };
  switch (value.type()) {
    case Json::value_t::object:
      list('{', '}', [&](const auto& item) {
        out += python_json_string(item.key()) + ": ";
        append(out, item.value(), indent, depth + 1);
      });
      break;
    case Json::value_t::array:
      list('[', ']', [&](const auto& item) { append(out, item.value(), indent, depth + 1); });
      break;
    case Json::value_t::string:
      out += python_json_string(value.get_ref<const std::string&>());
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

  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (digits.size() > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  const auto zeros = [](std::size_t n) { return std::string(n, '0'); };
  const auto places = static_cast<std::size_t>(std::abs(exponent));
  if (exponent < 0) return out + "0." + zeros(places - 1) + digits;
  const std::size_t point = places + 1;  // digits in front of it
  if (digits.size() <= point) return out + digits + zeros(point - digits.size()) + ".0";
  return out + digits.substr(0, point) + "." + digits.substr(point);
}

std::string python_json(const Json& value, int indent) {
  std::string out;
  append(out, value, indent, 0);
  return out;
}

}  // namespace gpqa
