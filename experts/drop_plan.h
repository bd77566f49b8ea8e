// Which experts go: ranked within each layer by what a calibration measured.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experts/criterion.h"
#include "experts/drop_map.h"

namespace gpqa {

enum class Merge {
  sum,   // the maps' sums add, then the formula: a map of more tokens says more
  rank,  // each map ranks its experts, and ranks add: every map says as much
};

struct DropPlanOptions {
  std::uint32_t keep = 0;  // experts of each layer
  Criterion criterion = Criterion::wnorm_tc;
  double alpha = 2;
  std::uint32_t protect = 0;            // so many of each layer, the best by protect_by, are never dropped
  std::optional<Criterion> protect_by;  // the criterion itself if not said, and then it changes nothing
  std::vector<std::string> categories;  // of these only; empty: of all
  Merge merge = Merge::sum;
};

struct RankedExpert {
  std::uint32_t id;
  double score;
};

struct LayerPlan {
  // The border: of those that could go, the last that stays and the first that goes. No last one where all
  // that stay are protected.
  std::optional<RankedExpert> last_kept;
  RankedExpert first_dropped{};
  ExpertIds saved;  // stay only because they are protected
};

struct DropPlan {
  DropMap map;
  std::uint32_t experts = 0;
  std::vector<LayerPlan> layers;
};

// Maps of one model: as many layers and experts, and what the options ask for is in them. Throws InputError.
void check_plan(std::span<const ContributionMap> maps, const DropPlanOptions& options);

// The lowest score goes first; of equal ones the lower id, as the author's script has it.
DropPlan plan_drops(std::span<const ContributionMap> maps, const DropPlanOptions& options);

// The same of prompts drawn anew, as many as there are, with replacement: how often each layer's drops come
// out the same, and how many of them on average.
struct Stability {
  std::uint32_t resamples = 0;
  std::vector<double> same;    // [layers], share of the resamples
  std::vector<double> shared;  // [layers], mean share of the layer's drops
  double all_layers_same = 0;
};
// nullopt if a map isn't one of parts that come from one prompt each. The same seed gives the same draws.
std::optional<Stability> bootstrap_drops(std::span<const ContributionMap> maps,
                                         const DropPlanOptions& options, const DropMap& plan,
                                         std::uint32_t resamples, std::uint64_t seed);

Merge parse_merge(std::string_view name);  // throws InputError
// "2*wnorm + tc; the lowest 30 of 128 in each layer go"
std::string describe(const DropPlanOptions& options, std::uint32_t experts, std::size_t maps);

// The parts that `categories` chooses, all if it is empty.
std::vector<const ContributionPart*> chosen_parts(const ContributionMap& map,
                                                  std::span<const std::string> categories);
SumTable sum_parts(const ContributionMap& map, std::span<const ContributionPart* const> parts,
                   std::span<const double> times = {});

}  // namespace gpqa
