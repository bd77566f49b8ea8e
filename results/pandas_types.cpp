#include "results/pandas_types.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <system_error>

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;
using Column = std::optional<std::vector<Json>>;  // nullopt: not of this type

constexpr std::uint64_t kMaxInt64 = std::numeric_limits<std::int64_t>::max();

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

enum class Parsed { value, overflow, no_integer };

struct Integer {
  Parsed parsed = Parsed::no_integer;
  bool negative = false;
  std::uint64_t magnitude = 0;
};

// White space, a sign, digits, white space.
Integer as_integer(std::string_view text, std::uint64_t most_positive, std::uint64_t most_negative) {
  text = trimmed(text);
  Integer integer;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    integer.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return integer;
  const auto error = std::from_chars(text.data(), text.data() + text.size(), integer.magnitude).ec;
  const bool fits =
      error == std::errc() && integer.magnitude <= (integer.negative ? most_negative : most_positive);
  integer.parsed = fits ? Parsed::value : Parsed::overflow;
  return integer;
}

std::vector<Json> text_column(const std::vector<Cell>& cells) {
  std::vector<Json> column;
  column.reserve(cells.size());
  for (const auto& cell : cells) column.push_back(cell ? Json(*cell) : Json());
  return column;
}

// pandas keeps the texts of nulls here; they mostly were empty.
std::vector<Json> unfiltered_text_column(const std::vector<Cell>& cells) {
  std::vector<Json> column;
  column.reserve(cells.size());
  for (const auto& cell : cells) column.emplace_back(cell.value_or(""));
  return column;
}

// After an integer outside int64: uint64 if that holds the whole column, else text. Of integers beyond 64
// bits pandas makes objects, with which `datasets` can't load the file: those too are text here.
Column large_integer_column(const std::vector<Cell>& cells) {
  std::vector<Json> column;
  bool only_unsigned = true;
  for (const auto& cell : cells) {
    if (!cell || trimmed(*cell).substr(0, 1) == "-") {  // pandas looks no further than the sign
      only_unsigned = false;
      continue;
    }
    const Integer integer = as_integer(*cell, std::numeric_limits<std::uint64_t>::max(), 0);
    if (integer.parsed == Parsed::overflow) return unfiltered_text_column(cells);
    if (integer.parsed == Parsed::no_integer) return std::nullopt;
    column.emplace_back(integer.magnitude);
  }
  return only_unsigned ? column : unfiltered_text_column(cells);
}

Column integer_column(const std::vector<Cell>& cells) {
  std::vector<Json> column;
  bool nulls = false;
  for (const auto& cell : cells) {
    column.emplace_back();
    if (!cell) {
      nulls = true;
      continue;
    }
    const Integer integer = as_integer(*cell, kMaxInt64, kMaxInt64 + 1);
    if (integer.parsed == Parsed::no_integer) return std::nullopt;
    if (integer.parsed == Parsed::overflow) return large_integer_column(cells);
    const std::uint64_t two_complement = integer.negative ? 0 - integer.magnitude : integer.magnitude;
    column.back() = static_cast<std::int64_t>(two_complement);
  }
  if (nulls)
    for (auto& value : column)
      if (!value.is_null()) value = static_cast<double>(value.get<std::int64_t>());
  return column;
}

// [+-]?(digits[.digits*] | .digits)([eE][+-]?digits)?, or an infinity. Correctly rounded, as Python's
// float().
std::optional<double> as_double(std::string_view text) {
  const std::string word = lower_ascii(text);
  if (word == "inf" || word == "+inf" || word == "infinity" || word == "+infinity")
    return std::numeric_limits<double>::infinity();
  if (word == "-inf" || word == "-infinity") return -std::numeric_limits<double>::infinity();
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return std::nullopt;
  }
  const std::size_t first = !text.empty() && text.front() == '-' ? 1 : 0;
  if (first >= text.size() || (!is_digit(text[first]) && text[first] != '.'))
    return std::nullopt;  // "inf", "nan"
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) return std::nullopt;
  // Too large or too small: strtod gives the infinity or zero that from_chars doesn't.
  if (error == std::errc::result_out_of_range) value = std::strtod(std::string(text).c_str(), nullptr);
  return value;
}

Column double_column(const std::vector<Cell>& cells) {
  std::vector<Json> column;
  for (const auto& cell : cells) {
    const auto value = cell ? as_double(*cell) : std::nullopt;
    if (cell && !value) return std::nullopt;
    column.push_back(value ? Json(*value) : Json());
  }
  return column;
}

Column boolean_column(const std::vector<Cell>& cells) {
  std::vector<Json> column;
  for (const auto& cell : cells) {
    const std::string word = cell ? lower_ascii(*cell) : "";
    if (cell && word != "true" && word != "false") return std::nullopt;
    column.push_back(cell ? Json(word == "true") : Json());
  }
  return column;
}

}  // namespace

std::vector<Json> pandas_column(const std::vector<Cell>& cells) {
  if (auto column = integer_column(cells)) return *std::move(column);
  if (auto column = double_column(cells)) return *std::move(column);
  if (auto column = boolean_column(cells)) return *std::move(column);
  return text_column(cells);
}

std::vector<Json> pandas_rows(const Dataset& dataset) {
  std::vector<Json> rows(dataset.cells.size(), Json::object());
  for (std::size_t c = 0; c < dataset.columns.size(); ++c) {
    std::vector<Cell> cells;
    for (const auto& row : dataset.cells) cells.push_back(row.at(c));
    auto column = pandas_column(cells);
    for (std::size_t r = 0; r < rows.size(); ++r) rows[r][dataset.columns[c]] = std::move(column[r]);
  }
  return rows;
}

}  // namespace gpqa
