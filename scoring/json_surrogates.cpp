#include "scoring/json_surrogates.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

constexpr std::uint32_t kFirst = 0xD800;
constexpr std::uint32_t kFirstLow = 0xDC00;
constexpr std::uint32_t kEnd = 0xE000;
constexpr std::size_t kEscape = 6;  // \uXXXX
// To U+E000, U+E800 and U+F000: private use, and three bytes of UTF-8 like a surrogate.
constexpr std::array<std::uint32_t, 3> kOffsets = {0x800, 0x1000, 0x1800};

std::optional<std::uint32_t> escape_at(std::string_view json, std::size_t at) {
  if (at + kEscape > json.size() || json.substr(at, 2) != "\\u") {
    return std::nullopt;
  }
  std::uint32_t code = 0;
  const char* end = json.data() + at + kEscape;
  const auto [stop, error] = std::from_chars(json.data() + at + 2, end, code, 16);
  return error == std::errc() && stop == end ? std::optional(code) : std::nullopt;
}

bool is_high(std::uint32_t code) {
  return code >= kFirst && code < kFirstLow;
}
bool is_low(std::uint32_t code) {
  return code >= kFirstLow && code < kEnd;
}

// A character of three bytes that starts at `at`, which none outside the tested blocks looks like.
std::uint32_t three_bytes_at(std::string_view utf8, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(utf8[at + i]));
  };
  if (at + 3 > utf8.size() || (byte(0) & 0xF0u) != 0xE0u) {
    return 0;
  }
  return (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
}

// visit(at, code) for each \uXXXX that isn't half of a pair.
template <class Visit>
void each_escape(std::string_view json, Visit&& visit) {
  for (std::size_t at = json.find('\\'); at < json.size(); at = json.find('\\', at)) {
    const auto code = escape_at(json, at);
    if (!code) {
      at += 2;  // another escape, or none that a parser takes
      continue;
    }
    const auto next = is_high(*code) ? escape_at(json, at + kEscape) : std::nullopt;
    if (next && is_low(*next)) {
      at += 2 * kEscape;
      continue;
    }
    visit(at, *code);
    at += kEscape;
  }
}

}  // namespace

JsonSurrogates::JsonSurrogates(std::string_view line) : line_(line) {
  bool any = false;
  std::array<bool, kOffsets.size()> taken{};
  const auto see = [&](std::uint32_t code) {
    for (std::size_t i = 0; i < taken.size(); ++i) {
      taken[i] = taken[i] || (code >= kFirst + kOffsets[i] && code < kEnd + kOffsets[i]);
    }
  };
  each_escape(line, [&](std::size_t, std::uint32_t code) {
    any = any || is_high(code) || is_low(code);
    see(code);
  });
  if (!any) {
    return;
  }
  for (std::size_t at = 0; at < line.size(); ++at) {
    see(three_bytes_at(line, at));
  }
  for (std::size_t i = 0; i < taken.size() && offset_ == 0; ++i) {
    offset_ = taken[i] ? 0 : kOffsets[i];
  }
  if (offset_ == 0) {
    throw InputError(
        "lone surrogates (such as \\ud800) beside private-use characters of each of the blocks U+E000, "
        "U+E800 "
        "and U+F000: nothing is left to stand for them; replace them by \\ufffd");
  }
  each_escape(line, [&](std::size_t at, std::uint32_t code) {
    if (is_high(code) || is_low(code)) {
      line_.replace(at, kEscape, fmt::format("\\u{:04x}", code + offset_));
    }
  });
}

std::string JsonSurrogates::restored(std::string_view json) const {
  if (offset_ == 0) {
    return std::string(json);
  }
  std::string out;
  for (std::size_t at = 0; at < json.size();) {
    const std::uint32_t code = three_bytes_at(json, at);
    if (code >= kFirst + offset_ && code < kEnd + offset_) {
      out += fmt::format("\\u{:04x}", code - offset_);
      at += 3;
    } else {
      out.push_back(json[at++]);
    }
  }
  return out;
}

}  // namespace gpqa
