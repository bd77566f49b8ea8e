// JSON files small enough to be held whole: drop maps and what lies beside them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <simdjson.h>
#include <string>
#include <string_view>

namespace gpqa {

// Throws InputError if it can't be opened or is empty, FormatError if it is larger than `limit`.
std::string read_small_file(const std::filesystem::path& path, std::size_t limit);

// A parsed document. Python's json.dump writes NaN and Infinity, which aren't JSON: the error says so.
class SmallJson {
 public:
  // `path` is for messages. Throws FormatError.
  SmallJson(std::string_view text, const std::filesystem::path& path, std::size_t limit);
  simdjson::dom::element root() const { return root_; }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

// A layer's name as json.dump writes the key of an int: digits, no sign, no leading zero, below kMostLayers.
std::optional<std::size_t> layer_number(std::string_view key);

// NaN, Infinity or -Infinity, if `token` begins with it.
std::string_view not_a_number(std::string_view token);

}  // namespace gpqa
