// What an expert is worth: each criterion's formula in one place, with where it comes from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experts/contribution_map.h"

namespace gpqa {

enum class Criterion { wnorm_tc, wnorm, tc, total, reap, ean, freq };

struct CriterionInfo {
  Criterion criterion;
  std::string_view name;     // on the command line
  std::string_view formula;  // over an expert's sums in its layer
  std::string_view source;
};

std::span<const CriterionInfo> criteria();
const CriterionInfo& info(Criterion criterion);
Criterion parse_criterion(std::string_view name);  // throws InputError
std::string formula(Criterion criterion, double alpha);

// A value for each expert of each layer: row by row, [layers, experts].
struct ExpertTable {
  std::uint32_t layers = 0;
  std::uint32_t experts = 0;
  std::vector<double> values;

  std::span<const double> layer(std::uint32_t index) const {
    return std::span(values).subspan(std::size_t{index} * experts, experts);
  }
};

// Sums of each expert of each layer, [layers, experts].
struct SumTable {
  std::uint32_t layers = 0;
  std::uint32_t experts = 0;
  std::vector<ExpertSums> sums;
};

// Throws InputError if the map hasn't what the criterion needs (a map that only counts has no norms).
void check_measured(const ContributionMap& map, Criterion criterion);

// Higher is worth more.
ExpertTable scores(const SumTable& sums, Criterion criterion, double alpha);

}  // namespace gpqa
