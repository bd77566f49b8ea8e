// What a GPQA file is, and what is odd about it, without a word of its questions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "prompts/dataset.h"

namespace gpqa {

// The published sets that can be run, known by their rows.
struct GpqaSet {
  std::string_view name;  // as in gpqa_NAME.csv
  std::size_t rows;
};
std::span<const GpqaSet> gpqa_sets();

struct DatasetReport {
  std::string set;  // "diamond", "main", "extended"; "" for a custom set
  std::size_t rows = 0;
  std::string sha256;
  // Rows with a canary string; nullopt where the file lacks the column.
  std::optional<std::size_t> canaries;
  // One sentence each. Rows count from 0, as lm-eval's doc_id does. Names rows and columns, never cells.
  std::vector<std::string> warnings;
};

DatasetReport report_on(const Dataset& dataset);

}  // namespace gpqa
