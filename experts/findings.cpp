#include "experts/findings.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "experts/drop_plan.h"

namespace gpqa {
namespace {

// Equal ids of all layers added: [experts].
std::vector<double> added_across_layers(const ExpertTable& table) {
  std::vector<double> sums(table.experts);
  for (std::uint32_t layer = 0; layer < table.layers; ++layer) {
    const auto row = table.layer(layer);
    std::transform(row.begin(), row.end(), sums.begin(), sums.begin(), std::plus<>());
  }
  return sums;
}

ExpertTable table_of(const ContributionMap& map, std::span<const ContributionPart* const> parts,
                     Criterion amount) {
  return scores(sum_parts(map, parts), amount, 2);
}

PairOverlap overlap(const std::vector<ExpertTable>& tables, std::size_t first, std::size_t second,
                    std::size_t top) {
  PairOverlap pair{.first = first, .second = second, .by_layer = {}};
  const auto shared = [&](std::span<const double> a, std::span<const double> b) {
    return shared_drops(top_experts(a, top), top_experts(b, top));
  };
  for (std::uint32_t layer = 0; layer < tables[first].layers; ++layer) {
    pair.by_layer.push_back(shared(tables[first].layer(layer), tables[second].layer(layer)));
    pair.mean += static_cast<double>(pair.by_layer.back()) / tables[first].layers;
  }
  pair.summed = shared(added_across_layers(tables[first]), added_across_layers(tables[second]));
  return pair;
}

}  // namespace

std::size_t Spread::experts_for(double share) const {
  if (total <= 0) {
    return 0;
  }
  const auto it = std::lower_bound(curve.begin(), curve.end(), share);
  return std::min(static_cast<std::size_t>(it - curve.begin()) + 1, curve.size());
}

Spread spread_of(std::span<const double> amounts) {
  std::vector<double> sorted(amounts.begin(), amounts.end());
  std::sort(sorted.begin(), sorted.end());
  Spread spread;
  spread.total = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  if (spread.total <= 0) {
    return spread;
  }
  // Gini = sum_i (2i - n - 1) x_i / (n * total), x ascending, i from 1.
  const auto n = static_cast<double>(sorted.size());
  double weighted = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    weighted += (2 * static_cast<double>(i + 1) - n - 1) * sorted[i];
  }
  spread.gini = weighted / (n * spread.total);
  double running = 0;
  for (auto it = sorted.rbegin(); it != sorted.rend(); ++it) {
    running += *it;
    spread.curve.push_back(running / spread.total);
  }
  return spread;
}

ExpertIds top_experts(std::span<const double> amounts, std::size_t count) {
  ExpertIds ids(amounts.size());
  std::iota(ids.begin(), ids.end(), 0u);
  std::sort(ids.begin(), ids.end(),
            [&](auto a, auto b) { return std::pair(amounts[a], a) > std::pair(amounts[b], b); });
  ids.resize(std::min(count, ids.size()));
  std::sort(ids.begin(), ids.end());
  return ids;
}

MapFindings find_in_map(const ContributionMap& map, Criterion amount, std::size_t top) {
  check_measured(map, amount);
  const auto all = chosen_parts(map, {});
  const auto sums = sum_parts(map, all);
  MapFindings findings{.amount = amount,
                       .top = top > 0 ? std::min<std::size_t>(top, map.experts)
                                      : std::max<std::size_t>(map.experts >= 128 ? 32 : map.experts / 4, 1),
                       .parts = {},
                       .table = scores(sums, amount, 2),
                       .layers = {},
                       .summed = {},
                       .overlaps = {}};
  double largest = 0;
  for (std::uint32_t layer = 0; layer < map.layers; ++layer) {
    auto& found = findings.layers.emplace_back();
    found.spread = spread_of(findings.table.layer(layer));
    largest = std::max(largest, found.spread.total);
    for (std::uint32_t id = 0; id < map.experts; ++id) {
      if (sums.sums[std::size_t{layer} * map.experts + id].tc == 0) {
        found.never.push_back(id);
      }
    }
  }
  for (auto& layer : findings.layers) {
    layer.importance = largest > 0 ? layer.spread.total / largest : 0;
  }
  findings.summed.push_back({"", spread_of(added_across_layers(findings.table))});
  for (const auto& part : map.parts) {
    findings.parts.push_back(part.name);
  }
  if (map.parts.size() > kMostComparedParts) {
    return findings;
  }
  std::vector<ExpertTable> tables;
  for (const auto* part : all) {
    tables.push_back(table_of(map, std::span(&part, 1), amount));
    if (all.size() > 1) {
      findings.summed.push_back({part->name, spread_of(added_across_layers(tables.back()))});
    }
  }
  for (std::size_t i = 0; i < tables.size(); ++i) {
    for (std::size_t j = i + 1; j < tables.size(); ++j) {
      findings.overlaps.push_back(overlap(tables, i, j, findings.top));
    }
  }
  return findings;
}

}  // namespace gpqa
