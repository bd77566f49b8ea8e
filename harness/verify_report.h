// What `gpqa experts verify` found, as text or JSON.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "experts/match_maps.h"
#include "experts/verify_drop.h"

namespace gpqa {

struct VerifyReport {
  std::string original;
  std::string pruned;
  std::string map;  // that was to be verified; "" if the lists were recovered
  std::vector<MapMatch> matches;
  Verification found;
};

std::string to_text(const VerifyReport& report, std::size_t most_damages);
nlohmann::ordered_json to_json(const VerifyReport& report);

}  // namespace gpqa
