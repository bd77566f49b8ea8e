// The tiny reference model, and the drop by which its pruned twin was made.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "experts/drop_map.h"
#include "experts/drop_report.h"
#include "experts/map_provenance.h"
#include "prompts/sha256.h"
#include "runners/model_files/tensor_view.h"

namespace gpqa_test {

inline const std::string kTiny = GPQA_TEST_DATA "/gemma4/";
inline const std::string kDropData = GPQA_TEST_DATA "/experts/";

inline nlohmann::json read_json(const std::filesystem::path& path) {
  return nlohmann::json::parse(std::ifstream(path));
}

// 12 of 16 experts stay in each of 6 layers.
inline gpqa::DropMap tiny_map() {
  return gpqa::parse_drop_map(read_json(kDropData + "tiny_keep_lists.json").at("drop").dump(), "tiny.json");
}

inline gpqa::TracedMap tiny_traced_map() {
  gpqa::TracedMap map;
  map.map = tiny_map();
  map.sha256 = gpqa::content_hash(map.map);
  map.calibrated_on = "random numbers";
  return map;
}

inline std::string hash_of(const gpqa::TensorView& tensor) {
  return gpqa::sha256_hex({reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()});
}

inline const gpqa::OnProgress kQuiet = [](std::uint64_t, std::uint64_t) {};

}  // namespace gpqa_test
