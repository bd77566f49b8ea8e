// A model's files as `gpqa model inspect` shows them. Texts of the files are made harmless here.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runners/model_files/model_summary.h"

namespace gpqa {

struct ModelReport {
  ModelSummary summary;
  std::vector<std::string> sha256;      // of each file; empty: not wanted
  std::span<const TensorView> tensors;  // to be listed one by one
};

std::string to_text(const ModelReport& report);
nlohmann::ordered_json to_json(const ModelReport& report);

}  // namespace gpqa
