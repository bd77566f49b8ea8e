// Reads the CSV files of GPQA as pandas (and so lm-eval) reads them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "prompts/question.h"

namespace gpqa {

struct Dataset {
  std::filesystem::path path;
  std::string sha256;                    // of the file's bytes, hex
  std::vector<std::string> columns;      // header, in file order
  std::vector<std::vector<Cell>> cells;  // [rows][columns], for lm-eval's `doc`
  std::vector<Question> questions;       // [rows]
};

// Throws FormatError (with line and row) for a missing column, a row of another width (pandas would pad it),
// an unclosed quote, a NUL, invalid UTF-8, no rows, or more than any GPQA file holds.
Dataset load_dataset(const std::filesystem::path& path);
// The same from the bytes themselves; `path` is what errors name.
Dataset parse_dataset(std::string_view text, const std::filesystem::path& path);

}  // namespace gpqa
