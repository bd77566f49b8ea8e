#include "experts/match_maps.h"

#include <fmt/format.h>

#include "experts/contribution_map.h"
#include "experts/drop_plan.h"
#include "experts/known_maps.h"
#include "experts/map_provenance.h"
#include "prompts/input_error.h"

namespace gpqa {
namespace {

bool equals(const Verification& found, const DropMap& map) {
  return map.layers() == found.layers && map.drops() + found.experts_after == found.experts_before &&
         found.recovered.equals(keep_lists(map, found.experts_before));
}

// Whether the maps have measured what it needs.
bool can_plan(std::span<const ContributionMap> maps, const DropPlanOptions& options) {
  try {
    check_plan(maps, options);
    return true;
  } catch (const InputError&) {
    return false;
  }
}

}  // namespace

std::vector<MapMatch> match_maps(const Verification& found, std::span<const std::string> maps) {
  std::vector<MapMatch> out;
  for (const auto& map : known_maps()) {
    if (map.experts == found.experts_before && equals(found, map.map)) {
      out.push_back({fmt::format("{} ({})", map.file, map.name), std::string(map.calibrated_on),
                     map.on_evaluated_questions});
    }
  }
  for (const auto& file : maps) {
    const auto map = read_traced_map(file);
    if (equals(found, map.map)) {
      out.push_back({file, map.calibrated_on, map.on_evaluated_questions});
    }
  }
  return out;
}

std::vector<MapMatch> match_criteria(const Verification& found, std::span<const std::string> contributions) {
  std::vector<ContributionMap> maps;
  std::vector<std::string> names;
  for (const auto& file : contributions) {
    const auto& map = maps.emplace_back(read_contributions(file));
    names.push_back(map.path.filename().string());
    if (map.layers != found.layers || map.experts != found.experts_before) {
      throw InputError(fmt::format("{}: measures {} experts in each of {} layers; the original has {} in {}",
                                   file, map.experts, map.layers, found.experts_before, found.layers));
    }
  }
  std::vector<MapMatch> out;
  if (maps.empty() || found.experts_after == 0 || found.experts_after >= found.experts_before) {
    return out;
  }
  std::vector<std::vector<std::string>> choices = {{}};
  constexpr std::size_t kMostCategories = 32;
  if (!maps.front().questions && maps.front().parts.size() <= kMostCategories) {
    for (const auto& part : maps.front().parts) {
      choices.push_back({part.name});
    }
  }
  for (const auto& criterion : criteria()) {
    for (const auto& categories : choices) {
      for (const auto merge : {Merge::sum, Merge::rank}) {
        DropPlanOptions options;
        options.keep = static_cast<std::uint32_t>(found.experts_after);
        options.criterion = criterion.criterion;
        options.categories = categories;
        options.merge = merge;
        const bool same_as_sum = merge == Merge::rank && maps.size() == 1;
        if (!same_as_sum && can_plan(maps, options) && equals(found, plan_drops(maps, options).map)) {
          out.push_back({fmt::format("{} by --criterion {}{}: {}", fmt::join(names, ", "), criterion.name,
                                     categories.empty() ? "" : " --categories " + categories.front(),
                                     describe(options, maps.front().experts, maps.size())),
                         "", false});
        }
      }
    }
  }
  return out;
}

}  // namespace gpqa
