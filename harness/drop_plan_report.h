// What a drop plan says of itself, for people.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experts/drop_plan.h"
#include "experts/map_provenance.h"

namespace gpqa {

struct OtherMap {
  std::string name;
  TracedMap map;
};

// The words that a plan's maps have for what they were calibrated on; "" where they don't say.
std::string calibration_words(std::span<const ContributionMap> maps, const DropPlanOptions& options);

// What it rests on, and what a reader must know before believing it.
std::string plan_summary(const DropPlan& plan, std::span<const ContributionMap> maps,
                         const DropPlanOptions& options, const MapProvenance& provenance);
// Tables in markdown: each layer's border, and how the drops lie to those of other maps.
std::string plan_explanation(const DropPlan& plan, const std::optional<Stability>& stability,
                             std::span<const OtherMap> others);

}  // namespace gpqa
