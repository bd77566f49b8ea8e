#include "harness/plan_maps.h"

#include <fmt/format.h>

#include "experts/map_provenance.h"
#include "prompts/input_error.h"
#include "results/inert_text.h"

namespace gpqa {
namespace {

void read_map(VariantPlan& variant) {
  const auto map = read_traced_map(variant.map_file);
  const auto refuse = [&](const std::string& what) {
    throw InputError(fmt::format("variant '{}', map '{}': {}", terminal_escape(variant.name),
                                 variant.map_file.string(), terminal_escape(what)));
  };
  if (map.on_evaluated_questions && variant.on_evaluated_questions == false)
    refuse(
        fmt::format("the plan says on_evaluated_questions = false, but the map was calibrated on evaluated "
                    "questions: {}. Take the line out, or name another map",
                    map.calibrated_on));
  if (map.experts) {
    const auto left = static_cast<std::int64_t>(*map.experts) - static_cast<std::int64_t>(map.map.drops());
    if (variant.experts && *variant.experts != left)
      refuse(fmt::format("it leaves {} of {} experts, but the variant has experts = {}", left, *map.experts,
                         *variant.experts));
    variant.experts = left;
  }
  variant.on_evaluated_questions =
      map.on_evaluated_questions || variant.on_evaluated_questions.value_or(false);
  if (variant.calibrated_on.empty())
    variant.calibrated_on = map.calibrated_on;
  else if (!map.calibrated_on.empty() && map.calibrated_on != variant.calibrated_on)
    variant.calibrated_on =
        fmt::format("{} (the map itself says: {})", variant.calibrated_on, map.calibrated_on);
  variant.map_sha256 = map.sha256;
  for (const auto& ids : map.map.dropped) {
    auto& words = variant.map_drops.emplace_back();
    for (const auto id : ids) words += fmt::format("{}{}", words.empty() ? "" : " ", id);
  }
}

}  // namespace

void read_maps(Plan& plan) {
  for (auto& variant : plan.variants)
    if (!variant.map_file.empty()) read_map(variant);
}

}  // namespace gpqa
