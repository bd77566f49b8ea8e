#include "harness/drop_plan_report.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experts/known_maps.h"
#include "results/inert_text.h"

namespace gpqa {
namespace {

std::string line(std::string_view name, std::string_view text) {
  return fmt::format("  {:<14}{}\n", name, terminal_escape(text));
}

// "1 layer", "3 layers", "2 categories".
std::string plural(std::size_t count, std::string_view word) {
  const bool y = count != 1 && word.ends_with('y');
  return fmt::format("{} {}{}", count, word.substr(0, word.size() - (y ? 1 : 0)),
                     count == 1 ? ""
                     : y        ? "ies"
                                : "s");
}

// A sum is shown as it can be compared: six digits.
std::string number(double value) {
  return fmt::format("{:.6g}", value);
}

std::string percent(double share) {
  return fmt::format("{:.1f}%", 100 * share);
}

// Share of the kept one's score by which the border is clear.
double margin(const LayerPlan& layer) {
  const double kept = layer.last_kept->score;
  return kept > 0 ? (kept - layer.first_dropped.score) / kept : 0;
}

void border_notes(const DropPlan& plan, std::string& text) {
  std::size_t ties = 0;
  std::size_t never = 0;
  for (const auto& layer : plan.layers) {
    ties += layer.last_kept && layer.last_kept->score == layer.first_dropped.score;
    never += layer.last_kept && layer.last_kept->score <= 0;
  }
  if (ties > 0) {
    text += line("note", fmt::format("in {} the border is a tie, where the lower id goes: see --explain",
                                     plural(ties, "layer")));
  }
  if (never > 0) {
    text += line("note",
                 fmt::format("in {} an expert stays that was never routed to: the calibration says nothing "
                             "about the last that go",
                             plural(never, "layer")));
  }
}

std::string protection_words(const DropPlan& plan, const DropPlanOptions& options) {
  const auto by = options.protect_by.value_or(options.criterion);
  if (by == options.criterion) {
    return fmt::format(
        "the top {} by the same score: changes nothing, for the best {} can't be among the lowest {} "
        "(--protect-by another criterion would)",
        options.protect, options.protect, plan.experts - options.keep);
  }
  std::size_t saved = 0;
  std::size_t layers = 0;
  for (const auto& layer : plan.layers) {
    saved += layer.saved.size();
    layers += !layer.saved.empty();
  }
  return fmt::format("the top {} by {}: {} that {} would have dropped stay, in {}", options.protect,
                     info(by).name, plural(saved, "expert"), info(options.criterion).name,
                     plural(layers, "layer"));
}

std::string_view relation(Nesting nesting) {
  switch (nesting) {
    case Nesting::equal:
      return "the same drops";
    case Nesting::inside:
      return "these drops lie inside its drops";
    case Nesting::around:
      return "its drops lie inside these";
    case Nesting::crossing:
      break;
  }
  return "neither holds the other";
}

std::string comparison_row(const DropPlan& plan, const OtherMap& other) {
  const auto& map = other.map.map;
  const std::string name =
      markdown_escape(other.name + (other.map.on_evaluated_questions ? " (contaminated)" : ""));
  if (map.layers() != plan.map.layers()) {
    return fmt::format("| {} | {} | - | - | - | another model: {} layers |\n", name, map.drops(),
                       map.layers());
  }
  std::size_t shared = 0;
  std::size_t nested = 0;
  for (std::size_t layer = 0; layer < map.layers(); ++layer) {
    const auto both = shared_drops(plan.map.dropped[layer], map.dropped[layer]);
    shared += both;
    nested += both == std::min(map.drops(), plan.map.drops());
  }
  const auto layers = static_cast<double>(map.layers());
  const double chance =
      static_cast<double>(map.drops()) * static_cast<double>(plan.map.drops()) / plan.experts;
  return fmt::format("| {} | {} | {:.1f} | {:.1f} | {} of {} | {} |\n", name, map.drops(),
                     static_cast<double>(shared) / layers, chance, nested, map.layers(),
                     relation(nesting(plan.map, map)));
}

std::string ids(const ExpertIds& all) {
  std::string text;
  for (const auto id : all) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", id);
  }
  return text.empty() ? "-" : text;
}

}  // namespace

std::string calibration_words(std::span<const ContributionMap> maps, const DropPlanOptions& options) {
  std::string words;
  for (const auto& map : maps) {
    // Which questions they are, only their owner knows.
    if (map.questions) {
      return "";
    }
    std::string categories;
    for (const auto* part : chosen_parts(map, options.categories)) {
      categories += fmt::format("{}{}{}", categories.empty() ? "" : ", ", part->name,
                                part->prompts ? fmt::format(" ({})", plural(*part->prompts, "prompt")) : "");
    }
    words += fmt::format("{}{}: {}", words.empty() ? "" : "; ", map.path.filename().string(), categories);
  }
  return words;
}

std::string plan_summary(const DropPlan& plan, std::span<const ContributionMap> maps,
                         const DropPlanOptions& options, const MapProvenance& provenance) {
  std::string text = fmt::format("drops {} of {} experts in each of {}, keeps {}\n", plan.map.drops(),
                                 plan.experts, plural(plan.map.layers(), "layer"), options.keep);
  text += line("by", provenance.criterion);
  text += line("that is from", info(options.criterion).source);
  for (const auto& map : maps) {
    const auto parts = chosen_parts(map, options.categories);
    text += line("map", fmt::format("{}: {}", map.path.string(),
                                    plural(parts.size(), map.questions ? "question" : "category")));
  }
  if (options.protect > 0) {
    text += line("protection", protection_words(plan, options));
  }
  if (provenance.on_evaluated_questions) {
    text +=
        line("contaminated", fmt::format("calibrated on evaluated questions: {}", provenance.calibrated_on));
  } else if (provenance.calibrated_on.empty()) {
    text += line("calibrated on",
                 "not said, and only you know which questions these are: give --calibrated-on WORDS, "
                 "with --on-evaluated-questions if a score on them will be reported");
  } else {
    text += line("calibrated on", provenance.calibrated_on);
  }
  if (const auto* known = find_known_map(plan.map)) {
    text += line("the same as", fmt::format("{} ({}), which was calibrated on {}", known->file, known->name,
                                            known->calibrated_on));
  }
  const bool over_tokens = options.criterion == Criterion::total || options.criterion == Criterion::reap ||
                           options.criterion == Criterion::ean;
  for (const auto& map : maps) {
    const auto name = map.path.filename().string();
    if (!map.experts_said) {
      text += line("note", fmt::format("{} doesn't say how many experts a layer has: {}, by the largest id",
                                       name, map.experts));
    }
    if (map.unlisted > 0) {
      text +=
          line("note",
               fmt::format("{} lacks {} (experts of layers, over all its parts); who isn't listed counts as "
                           "never routed to",
                           name, plural(map.unlisted, "entry")));
    }
    if (over_tokens && !map.has_token_sums) {
      text += line("note",
                   fmt::format("{} has norms of whole prompts, not of tokens: sums over tokens are taken as "
                               "norm * sqrt(tc/cc)",
                               name));
    }
  }
  border_notes(plan, text);
  return text;
}

std::string plan_explanation(const DropPlan& plan, const std::optional<Stability>& stability,
                             std::span<const OtherMap> others) {
  std::string text =
      "\nThe border in each layer: the last expert that stays, the first that goes, and by how much of its "
      "score the "
      "last one is ahead.\n\n";
  text +=
      fmt::format("| layer | last kept | score | first dropped | score | margin | saved by protection |{}\n",
                  stability ? " same drops | shared drops |" : "");
  text +=
      fmt::format("|------:|----------:|------:|--------------:|------:|-------:|:--------------------|{}\n",
                  stability ? "-----------:|-------------:|" : "");
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const auto& layer = plan.layers[i];
    const auto& kept = layer.last_kept;
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {} |", i, kept ? fmt::format("{}", kept->id) : "-",
                    kept ? number(kept->score) : "-", layer.first_dropped.id,
                    number(layer.first_dropped.score), kept ? percent(margin(layer)) : "-", ids(layer.saved));
    if (stability) {
      text += fmt::format(" {} | {} |", percent(stability->same[i]), percent(stability->shared[i]));
    }
    text += "\n";
  }
  if (stability) {
    text += fmt::format(
        "\nPrompts drawn anew {} times, with replacement: `same drops` is the share of draws in which "
        "exactly these experts of the layer go, `shared drops` how many of them go on average. In {} "
        "of the draws all layers come out the same.\n",
        stability->resamples, percent(stability->all_layers_same));
  } else {
    text +=
        "\nHow stable the border is under other prompts can't be said: the map holds sums over prompts, not "
        "each "
        "prompt (a per-question map does).\n";
  }
  if (!others.empty()) {
    text += fmt::format("\nAgainst other maps; these are {} drops a layer.\n\n", plan.map.drops());
    text += "| map | drops | shared a layer | by chance | layers nested | |\n";
    text += "|:----|------:|---------------:|----------:|--------------:|:-|\n";
    for (const auto& other : others) {
      text += comparison_row(plan, other);
    }
  }
  return text;
}

}  // namespace gpqa
