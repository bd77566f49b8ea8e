// A drop map ('d'), what stands beside one ('p'), or a contribution map (anything else).
#include <algorithm>
#include <string>

#include "experts/drop_map.h"
#include "experts/drop_plan.h"
#include "experts/findings.h"
#include "experts/map_provenance.h"
#include "prompts/input_error.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

void check_drop_map(std::string_view json) {
  const auto map = unless_refused<FormatError>([&] { return parse_drop_map(json, "fuzz.json"); });
  if (!map) return;
  must(map->layers() > 0 && map->layers() <= kMostLayers, "a map has layers");
  for (std::size_t layer = 0; layer < map->layers(); ++layer) {
    const auto& ids = map->dropped[layer];
    must(ids.size() == map->drops() && !ids.empty(), "each layer drops as many");
    must(std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end(),
         "ids ascend, each once");
    must(kept(*map, layer, kMostExperts).size() + ids.size() == kMostExperts, "the rest is kept");
  }
  must(parse_drop_map(drop_map_json(*map), "again.json") == *map, "what is written is read back");
  must(nesting(*map, *map) == Nesting::equal, "a map nests in itself");
}

void check_provenance(std::string_view json) {
  const auto said = unless_refused<FormatError>([&] { return parse_provenance(json, "fuzz.json"); });
  if (said)
    must(parse_provenance(provenance_json(*said), "again.json") == *said, "what is written is read back");
}

void check_contributions(std::string_view json) {
  const auto map = unless_refused<FormatError>([&] { return parse_contributions(json, "fuzz.json"); });
  if (!map) return;
  must(map->layers > 0 && map->layers <= kMostLayers && map->experts > 0 && map->experts <= kMostExperts,
       "layers and experts are bounded");
  for (const auto& part : map->parts)
    for (const auto& entry : part.entries)
      must(entry.layer < map->layers && entry.expert < map->experts && entry.sums.wnorm >= 0 &&
               entry.sums.tc >= 0,
           "entries are of the map");
  // Of what a real model could be.
  if (std::uint64_t{map->layers} * map->experts > 4096) return;
  for (const auto& criterion : criteria()) {
    DropPlanOptions options{.keep = map->experts / 2,
                            .criterion = criterion.criterion,
                            .protect = map->experts / 4,
                            .protect_by = Criterion::tc,
                            .categories = {}};
    const auto plan = unless_refused<InputError>([&] { return plan_drops(std::span(&*map, 1), options); });
    if (!plan) continue;
    must(plan->map.drops() == map->experts - options.keep, "as many stay as were asked for");
    must(parse_drop_map(drop_map_json(plan->map), "plan.json") == plan->map, "a plan is a drop map");
    bootstrap_drops(std::span(&*map, 1), options, plan->map, 2, 1);
  }
  unless_refused<InputError>([&] { return find_in_map(*map, Criterion::wnorm, 0); });
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa;
  auto input = fuzz::input_of(data, size);
  switch (fuzz::take_byte(input)) {
    case 'd':
      fuzz::check_drop_map(input);
      break;
    case 'p':
      fuzz::check_provenance(input);
      break;
    default:
      fuzz::check_contributions(input);
  }
  return 0;
}
