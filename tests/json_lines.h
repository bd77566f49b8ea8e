// Reads the JSON-lines files under tests/data.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace gpqa_test {

inline std::vector<nlohmann::json> read_json_lines(const std::string& path) {
  std::ifstream in(path);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(nlohmann::json::parse(line));
  }
  if (lines.empty()) {
    throw std::runtime_error("no lines in " + path);
  }
  return lines;
}

}  // namespace gpqa_test
