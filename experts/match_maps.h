// Which drop map a pruned model was made by, as far as it is one that is known or can be made again.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "experts/verify_drop.h"

namespace gpqa {

struct MapMatch {
  std::string name;           // a map's file, or a criterion on a contribution map
  std::string calibrated_on;  // "" if not known
  bool on_evaluated_questions = false;
};

// Maps whose lists are those that were recovered: published ones, and those among `maps`.
std::vector<MapMatch> match_maps(const Verification& found, std::span<const std::string> maps);
// Every criterion that the contribution maps have the measurements for, over all of their categories and over
// each one alone; of several maps, merged in both ways. Throws what reading them throws, and InputError if
// they are of another model.
std::vector<MapMatch> match_criteria(const Verification& found, std::span<const std::string> contributions);

}  // namespace gpqa
