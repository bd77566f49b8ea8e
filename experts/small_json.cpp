#include "experts/small_json.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "experts/drop_map.h"
#include "prompts/input_error.h"
#include "runners/model_files/mapped_file.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

void check_size(std::size_t bytes, const fs::path& path, std::size_t limit) {
  if (bytes > limit) {
    throw FormatError(path.string(), "", fmt::format("{} bytes; expected at most {}", bytes, limit));
  }
}

struct Bare {
  std::string_view word;
  std::size_t line;
};

// The first NaN or Infinity outside strings.
std::optional<Bare> find_bare(std::string_view text) {
  bool in_string = false;
  std::size_t line = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    line += text[i] == '\n';
    if (in_string) {
      i += text[i] == '\\';
      in_string = i < text.size() && text[i] != '"';
    } else if (text[i] == '"') {
      in_string = true;
    } else if (const auto word = not_a_number(text.substr(i)); !word.empty()) {
      return Bare{word, line};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string read_small_file(const fs::path& path, std::size_t limit) {
  const MappedFile file(path);
  check_size(file.text().size(), path, limit);
  return std::string(file.text());
}

SmallJson::SmallJson(std::string_view text, const fs::path& path, std::size_t limit) {
  check_size(text.size(), path, limit);
  const auto error = parser_.parse(text.data(), text.size()).get(root_);
  if (error == simdjson::SUCCESS) {
    return;
  }
  if (const auto bare = find_bare(text)) {
    throw FormatError(path.string(), fmt::format("{}", bare->line),
                      fmt::format("{} stands where a number must: the file was made from broken sums, and {} "
                                  "isn't JSON",
                                  bare->word, bare->word));
  }
  throw FormatError(path.string(), "", fmt::format("not JSON: {}", simdjson::error_message(error)));
}

std::optional<std::size_t> layer_number(std::string_view key) {
  std::size_t layer = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), layer);
  if (error != std::errc() || end != key.data() + key.size() || (key.size() > 1 && key[0] == '0') ||
      layer >= kMostLayers) {
    return std::nullopt;
  }
  return layer;
}

std::string_view not_a_number(std::string_view token) {
  constexpr std::array<std::string_view, 3> kWords = {"NaN", "Infinity", "-Infinity"};
  for (const auto word : kWords) {
    if (token.starts_with(word)) {
      return word;
    }
  }
  return "";
}

}  // namespace gpqa
