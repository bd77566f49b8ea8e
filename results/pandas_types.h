// The columns of a CSV file with the types that pandas infers and `datasets` hands to lm-eval.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "prompts/dataset.h"

namespace gpqa {

// One column, typed as a whole: integers, else doubles, else booleans, else text; nulls as null.
// An integer column with nulls becomes doubles. Holds for files of up to 10,000 rows, which are read at once.
std::vector<nlohmann::ordered_json> pandas_column(const std::vector<Cell>& cells);

// lm-eval's `doc` of each row, without what the task adds to it.
std::vector<nlohmann::ordered_json> pandas_rows(const Dataset& dataset);

}  // namespace gpqa
