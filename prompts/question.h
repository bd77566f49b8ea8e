// prompts/: from the rows of a GPQA file to the prompts a model is asked, exactly as lm-eval asks them.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>

namespace gpqa {

// A cell of the data set; nullopt where pandas reads a null (empty, "NA", "nan", ...).
using Cell = std::optional<std::string>;

// One row of gpqa_{diamond,main,extended}.csv.
struct Question {
  std::size_t row = 0;    // 0-based in the file: lm-eval's doc_id
  std::string record_id;  // "Record ID", "" where the file has none
  std::string domain;     // "High-level domain"
  std::string subdomain;  // "Subdomain"
  Cell text;              // as it stands in the file, not stripped
  Cell correct;
  std::array<Cell, 3> incorrect;
};

}  // namespace gpqa
