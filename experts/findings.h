// What a contribution map shows: how unevenly a layer's experts contribute, and how alike categories choose.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "experts/contribution_map.h"
#include "experts/criterion.h"
#include "experts/drop_map.h"

namespace gpqa {

// How an amount is spread over experts.
struct Spread {
  double total = 0;
  double gini = 0;            // 0: all the same; towards 1: one has it all. 0 where there is nothing
  std::vector<double> curve;  // curve[k]: the share of the k+1 largest

  // The fewest experts that hold `share` of the amount; 0 where there is nothing.
  std::size_t experts_for(double share) const;
};
Spread spread_of(std::span<const double> amounts);

// The `count` largest, ascending by id; of equal ones the higher id, as a drop plan keeps it.
ExpertIds top_experts(std::span<const double> amounts, std::size_t count);

struct LayerFindings {
  Spread spread;
  double importance = 0;  // the layer's amount against the largest layer's
  ExpertIds never;        // routed to for no token
};

struct PairOverlap {
  std::size_t first = 0;  // in MapFindings::parts
  std::size_t second = 0;
  std::vector<std::size_t> by_layer;  // experts that are among the top in both
  double mean = 0;                    // over layers
  std::size_t summed = 0;             // after adding equal ids across layers
};

struct SummedFindings {
  std::string part;  // "" for all together
  Spread spread;
};

struct MapFindings {
  Criterion amount = Criterion::wnorm;
  std::size_t top = 0;             // of what is compared between categories
  std::vector<std::string> parts;  // names
  ExpertTable table;               // the amount of each expert of each layer, all parts together
  std::vector<LayerFindings> layers;
  // As the map's author has it: amounts of equal ids added across layers. Experts of two layers have nothing
  // to do with each other, so this says nothing about a layer.
  std::vector<SummedFindings> summed;
  std::vector<PairOverlap> overlaps;  // none where the map has too many parts
};

inline constexpr std::size_t kMostComparedParts = 24;

// `top`: 32 of 128 by default; a quarter of the experts where there are fewer.
MapFindings find_in_map(const ContributionMap& map, Criterion amount, std::size_t top);

}  // namespace gpqa
