// What a map's and a model's experts show, for people and programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "experts/findings.h"
#include "experts/weight_findings.h"

namespace gpqa {

// One of the two, or both.
struct FindingsReport {
  std::string source;  // the file's name
  std::string model;   // that a map says it was made from
  std::optional<MapFindings> map;
  std::vector<LayerSimilarity> weights;
};

std::string to_markdown(const FindingsReport& report);
nlohmann::ordered_json to_json(const FindingsReport& report);
// One page that needs nothing else: tables, heat maps and curves.
std::string to_html(const FindingsReport& report);

// The amount in words: "wnorm = sum over prompts of ||G*F||_F".
std::string amount_words(const MapFindings& map);

}  // namespace gpqa
