#include "experts/drop_plan.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "prompts/split_mix.h"

namespace gpqa {
namespace {

constexpr double kLargestAlpha = 1e9;  // scores stay finite

using Parts = std::vector<const ContributionPart*>;

// How often each part of each map counts: once, or as it was drawn.
using Times = std::vector<std::vector<double>>;  // [maps][parts], or empty

// Within a layer: how many are worth less, twice, and those worth as much count once. Whole numbers, so sums
// of them don't depend on their order.
void add_ranks(std::span<const double> scores, std::span<double> ranks) {
  std::vector<double> sorted(scores.begin(), scores.end());
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), scores[i]);
    ranks[i] += static_cast<double>((low - sorted.begin()) + (high - sorted.begin()));
  }
}

ExpertTable merged_scores(std::span<const ContributionMap> maps, std::span<const Parts> parts,
                          const Times& times, Criterion criterion, const DropPlanOptions& options) {
  const auto sums_of = [&](std::size_t i) {
    return sum_parts(maps[i], parts[i], times.empty() ? std::span<const double>() : times[i]);
  };
  SumTable sums = sums_of(0);
  ExpertTable ranks{sums.layers, sums.experts, std::vector<double>(sums.sums.size())};
  for (std::size_t i = 0; i < maps.size(); ++i) {
    if (options.merge == Merge::rank) {
      const auto table = scores(i == 0 ? sums : sums_of(i), criterion, options.alpha);
      for (std::uint32_t layer = 0; layer < table.layers; ++layer) {
        add_ranks(table.layer(layer),
                  std::span(ranks.values).subspan(std::size_t{layer} * table.experts, table.experts));
      }
    } else if (i > 0) {
      const auto more = sums_of(i);
      for (std::size_t at = 0; at < sums.sums.size(); ++at) {
        sums.sums[at].add(more.sums[at]);
      }
    }
  }
  return options.merge == Merge::rank && maps.size() > 1 ? ranks : scores(sums, criterion, options.alpha);
}

// Ids from the lowest score up; of equal scores the lower id comes first.
ExpertIds ascending(std::span<const double> scores) {
  ExpertIds ids(scores.size());
  std::iota(ids.begin(), ids.end(), 0u);
  std::stable_sort(ids.begin(), ids.end(), [&](auto a, auto b) { return scores[a] < scores[b]; });
  return ids;
}

// The drops of a layer, and its border.
ExpertIds drop_lowest(std::span<const double> scores, std::span<const double> protection,
                      std::uint32_t protect, std::size_t drops, LayerPlan* explained) {
  const auto order = ascending(scores);
  std::vector<bool> safe(scores.size());
  if (protect > 0) {
    const auto best = ascending(protection);
    std::for_each(best.end() - protect, best.end(), [&](auto id) { safe[id] = true; });
  }
  ExpertIds dropped;
  ExpertIds saved;
  std::optional<RankedExpert> last_kept;
  for (std::size_t place = 0; place < order.size(); ++place) {
    const auto id = order[place];
    if (safe[id]) {
      if (place < drops) {
        saved.push_back(id);
      }
    } else if (dropped.size() < drops) {
      dropped.push_back(id);
    } else {
      last_kept = RankedExpert{id, scores[id]};
      break;
    }
  }
  if (explained != nullptr) {
    std::sort(saved.begin(), saved.end());
    *explained = {last_kept, {dropped.back(), scores[dropped.back()]}, std::move(saved)};
  }
  std::sort(dropped.begin(), dropped.end());
  return dropped;
}

DropPlan plan_of(std::span<const ContributionMap> maps, std::span<const Parts> parts, const Times& times,
                 const DropPlanOptions& options) {
  const auto table = merged_scores(maps, parts, times, options.criterion, options);
  const bool other_score =
      options.protect > 0 && options.protect_by && *options.protect_by != options.criterion;
  const auto protection =
      other_score ? merged_scores(maps, parts, times, *options.protect_by, options) : table;
  DropPlan plan{.map = {}, .experts = table.experts, .layers = std::vector<LayerPlan>(table.layers)};
  for (std::uint32_t layer = 0; layer < table.layers; ++layer) {
    plan.map.dropped.push_back(drop_lowest(table.layer(layer), protection.layer(layer), options.protect,
                                           table.experts - options.keep, &plan.layers[layer]));
  }
  return plan;
}

std::vector<Parts> all_chosen(std::span<const ContributionMap> maps, const DropPlanOptions& options) {
  std::vector<Parts> parts;
  parts.reserve(maps.size());
  for (const auto& map : maps) {
    parts.push_back(chosen_parts(map, options.categories));
  }
  return parts;
}

void check_layers_routed(const ContributionMap& map, const Parts& parts) {
  std::vector<bool> routed(map.layers);
  for (const auto* part : parts) {
    for (const auto& entry : part->entries) {
      routed[entry.layer] = routed[entry.layer] || entry.sums.tc > 0;
    }
  }
  const auto none = std::find(routed.begin(), routed.end(), false);
  if (none != routed.end()) {
    throw FormatError(map.path.string(), fmt::format("layer {}", none - routed.begin()),
                      "no expert was ever routed to, so none can be ranked; does the layer have experts?");
  }
}

}  // namespace

std::vector<const ContributionPart*> chosen_parts(const ContributionMap& map,
                                                  std::span<const std::string> categories) {
  std::vector<const ContributionPart*> parts;
  if (categories.empty()) {
    for (const auto& part : map.parts) {
      parts.push_back(&part);
    }
    return parts;
  }
  for (const auto& name : categories) {
    const auto it =
        std::find_if(map.parts.begin(), map.parts.end(), [&](const auto& part) { return part.name == name; });
    if (it == map.parts.end()) {
      constexpr std::size_t kMostNames = 20;
      std::string names;
      for (std::size_t i = 0; i < std::min(map.parts.size(), kMostNames); ++i) {
        names += (i == 0 ? "" : ", ") + map.parts[i].name;
      }
      throw FormatError(map.path.string(), "",
                        fmt::format("has no {} '{}'; it has {}{}", map.questions ? "question" : "category",
                                    name, names, map.parts.size() > kMostNames ? ", ..." : ""));
    }
    if (std::find(parts.begin(), parts.end(), &*it) != parts.end()) {
      throw InputError(fmt::format("'{}' is chosen twice", name));
    }
    parts.push_back(&*it);
  }
  return parts;
}

SumTable sum_parts(const ContributionMap& map, std::span<const ContributionPart* const> parts,
                   std::span<const double> times) {
  SumTable table{map.layers, map.experts, std::vector<ExpertSums>(std::size_t{map.layers} * map.experts)};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const double count = times.empty() ? 1 : times[i];
    if (count == 0) {
      continue;
    }
    for (const auto& entry : parts[i]->entries) {
      table.sums[std::size_t{entry.layer} * map.experts + entry.expert].add(entry.sums, count);
    }
  }
  return table;
}

void check_plan(std::span<const ContributionMap> maps, const DropPlanOptions& options) {
  if (!(options.alpha >= 0 && options.alpha <= kLargestAlpha)) {
    throw InputError(fmt::format("--alpha {}: expected 0 to {}", options.alpha, kLargestAlpha));
  }
  const auto& first = maps.front();
  for (const auto& map : maps) {
    if (map.layers != first.layers || map.experts != first.experts) {
      throw FormatError(
          map.path.string(), "",
          fmt::format("{} layers of {} experts, but {} has {} of {}; maps of one model can be merged",
                      map.layers, map.experts, first.path.string(), first.layers, first.experts));
    }
    check_measured(map, options.criterion);
    if (options.protect > 0 && options.protect_by) {
      check_measured(map, *options.protect_by);
    }
    check_layers_routed(map, chosen_parts(map, options.categories));
    if (map.used && options.keep < *map.used) {
      throw InputError(
          fmt::format("--keep {}: the model's router chooses {} experts for each token (as {} says), so "
                      "at least as many must stay",
                      options.keep, *map.used, map.path.string()));
    }
  }
  if (options.keep < 1 || options.keep >= first.experts) {
    throw InputError(fmt::format("--keep {}: the layers have {} experts{}; expected 1 to {}", options.keep,
                                 first.experts, first.experts_said ? "" : " (the largest id and one)",
                                 first.experts - 1));
  }
  if (options.protect > options.keep) {
    throw InputError(
        fmt::format("--protect {}: only {} experts of each layer stay", options.protect, options.keep));
  }
}

DropPlan plan_drops(std::span<const ContributionMap> maps, const DropPlanOptions& options) {
  check_plan(maps, options);
  return plan_of(maps, all_chosen(maps, options), {}, options);
}

std::optional<Stability> bootstrap_drops(std::span<const ContributionMap> maps,
                                         const DropPlanOptions& options, const DropMap& plan,
                                         std::uint32_t resamples, std::uint64_t seed) {
  const auto parts = all_chosen(maps, options);
  for (std::size_t i = 0; i < maps.size(); ++i) {
    if (!maps[i].per_prompt() || parts[i].size() < 2) {
      return std::nullopt;
    }
  }
  Stability stability{.resamples = resamples,
                      .same = std::vector<double>(plan.layers()),
                      .shared = std::vector<double>(plan.layers())};
  std::uint64_t state = seed;
  const auto draw = [&](std::size_t below) {
    // A multiple of 2^64/n can't be hit evenly; at these n the bias is below 2^-50.
    state += kSplitMixStep;
    return static_cast<std::size_t>(split_mix(state) % below);
  };
  for (std::uint32_t round = 0; round < resamples; ++round) {
    Times times;
    for (const auto& of_map : parts) {
      auto& counts = times.emplace_back(of_map.size());
      for (std::size_t i = 0; i < of_map.size(); ++i) {
        counts[draw(of_map.size())] += 1;
      }
    }
    const auto again = plan_of(maps, parts, times, options).map;
    for (std::size_t layer = 0; layer < plan.layers(); ++layer) {
      const auto shared = shared_drops(again.dropped[layer], plan.dropped[layer]);
      stability.same[layer] += shared == plan.drops() ? 1.0 / resamples : 0;
      stability.shared[layer] += static_cast<double>(shared) / static_cast<double>(plan.drops()) / resamples;
    }
    stability.all_layers_same += again == plan ? 1.0 / resamples : 0;
  }
  return stability;
}

Merge parse_merge(std::string_view name) {
  if (name == "sum" || name == "rank") {
    return name == "sum" ? Merge::sum : Merge::rank;
  }
  throw InputError(fmt::format("'{}': expected sum or rank", name));
}

std::string describe(const DropPlanOptions& options, std::uint32_t experts, std::size_t maps) {
  std::string words = formula(options.criterion, options.alpha);
  if (maps > 1) {
    words += fmt::format(", {} of {} maps added", options.merge == Merge::sum ? "sums" : "ranks", maps);
  }
  words += fmt::format("; the lowest {} of {} in each layer go", experts - options.keep, experts);
  if (options.protect > 0) {
    words += fmt::format("; the top {} by {} are protected", options.protect,
                         info(options.protect_by.value_or(options.criterion)).name);
  }
  return words;
}

}  // namespace gpqa
