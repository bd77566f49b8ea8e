#include "harness/findings_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "results/inert_text.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

// Four digits; what rounds to nothing has no sign.
std::string cosine(double value) {
  const auto text = fmt::format("{:.4f}", value);
  return text == "-0.0000" ? "0.0000" : text;
}

std::string summed_name(const SummedFindings& summed) {
  return summed.part.empty() ? "all together" : summed.part;
}

std::string never_words(const ExpertIds& ids) {
  constexpr std::size_t kMost = 12;
  if (ids.empty()) return "0";
  std::string text = fmt::format("{}:", ids.size());
  for (std::size_t i = 0; i < std::min(ids.size(), kMost); ++i) text += fmt::format(" {}", ids[i]);
  return text + (ids.size() > kMost ? " ..." : "");
}

std::string layer_table(const MapFindings& map) {
  std::string text =
      "## Layer by layer\n\n"
      "Experts for x%: the fewest that hold so much of the layer's amount. Importance: the layer's amount "
      "against the "
      "largest.\n\n"
      "| layer | Gini | for 80% | for 90% | for 95% | importance | never routed to |\n"
      "|------:|-----:|--------:|--------:|--------:|-----------:|:----------------|\n";
  for (std::size_t i = 0; i < map.layers.size(); ++i) {
    const auto& layer = map.layers[i];
    text += fmt::format("| {} | {:.3f} | {} | {} | {} | {:.3f} | {} |\n", i, layer.spread.gini,
                        layer.spread.experts_for(0.8), layer.spread.experts_for(0.9),
                        layer.spread.experts_for(0.95), layer.importance, never_words(layer.never));
  }
  return text;
}

std::string overlap_table(const MapFindings& map) {
  if (map.parts.size() > kMostComparedParts)
    return fmt::format("\nThe {} parts aren't compared pair by pair; up to {} are.\n", map.parts.size(),
                       kMostComparedParts);
  if (map.overlaps.empty()) return "";
  const double chance = static_cast<double>(map.top * map.top) / map.table.experts;
  std::string text = fmt::format(
      "\n## Top {} experts, category against category\n\n"
      "How many of a layer's top {} two categories share; by chance {:.1f}. The last column is the author's: "
      "after "
      "adding equal ids across layers, which says nothing about a layer.\n\n"
      "| categories | mean over layers | fewest | most | ids added across layers |\n"
      "|:-----------|-----------------:|-------:|-----:|------------------------:|\n",
      map.top, map.top, chance);
  for (const auto& pair : map.overlaps) {
    const auto [low, high] = std::minmax_element(pair.by_layer.begin(), pair.by_layer.end());
    text += fmt::format("| {}, {} | {:.1f} of {} | {} | {} | {} of {} |\n",
                        markdown_escape(map.parts[pair.first]), markdown_escape(map.parts[pair.second]),
                        pair.mean, map.top, *low, *high, pair.summed, map.top);
  }
  return text;
}

std::string summed_table(const MapFindings& map) {
  std::string text =
      "\n## As the author added it up\n\n"
      "Amounts of equal ids added across layers. Expert 7 of one layer has nothing to do with expert 7 of "
      "another: "
      "these figures say nothing about a layer, and are here to be compared with the card's.\n\n"
      "| | Gini | for 80% | for 90% | for 95% |\n"
      "|:-|-----:|--------:|--------:|--------:|\n";
  for (const auto& summed : map.summed)
    text += fmt::format("| {} | {:.3f} | {} | {} | {} |\n", markdown_escape(summed_name(summed)),
                        summed.spread.gini, summed.spread.experts_for(0.8), summed.spread.experts_for(0.9),
                        summed.spread.experts_for(0.95));
  return text;
}

std::string weights_table(const std::vector<LayerSimilarity>& weights) {
  std::string text =
      "\n## How alike the experts' weights are\n\n"
      "Cosines of all pairs of a layer's experts, each expert all of its weights in one row. At 0 two have "
      "nothing in "
      "common, and their mean is neither of them.\n\n"
      "| layer | experts | largest | of the pair | mean | mean size |";
  std::string rule = "|------:|--------:|--------:|------------:|-----:|----------:|";
  for (const auto& [name, cosines] : weights.front().by_tensor) {
    text += fmt::format(" largest in {} |", markdown_escape(name));
    rule += "--------:|";
  }
  text += "\n" + rule + "\n";
  for (const auto& layer : weights) {
    text += fmt::format("| {} | {} | {} | {}, {} | {} | {} |", layer.layer, layer.experts,
                        cosine(layer.whole.max), layer.whole.first, layer.whole.second,
                        cosine(layer.whole.mean), cosine(layer.whole.mean_size));
    for (const auto& [name, cosines] : layer.by_tensor) text += fmt::format(" {} |", cosine(cosines.max));
    text += "\n";
  }
  return text;
}

Json json_of(const Spread& spread) {
  return {{"total", spread.total},
          {"gini", spread.gini},
          {"experts_for_80", spread.experts_for(0.8)},
          {"experts_for_90", spread.experts_for(0.9)},
          {"experts_for_95", spread.experts_for(0.95)},
          {"curve", spread.curve}};
}

Json json_of(const Cosines& cosines) {
  return {{"max", cosines.max},
          {"pair", {cosines.first, cosines.second}},
          {"mean", cosines.mean},
          {"mean_size", cosines.mean_size}};
}

Json json_of(const MapFindings& map) {
  Json json = {{"amount", info(map.amount).name}, {"top", map.top}, {"experts", map.table.experts}};
  json["layers"] = Json::array();
  for (const auto& layer : map.layers) {
    Json each = json_of(layer.spread);
    each["importance"] = layer.importance;
    each["never_routed"] = layer.never;
    json["layers"].push_back(std::move(each));
  }
  json["overlaps"] = Json::array();
  for (const auto& pair : map.overlaps)
    json["overlaps"].push_back({{"categories", {map.parts[pair.first], map.parts[pair.second]}},
                                {"by_layer", pair.by_layer},
                                {"mean", pair.mean},
                                {"ids_added_across_layers", pair.summed}});
  json["ids_added_across_layers"] = Json::array();
  for (const auto& summed : map.summed) {
    Json each = json_of(summed.spread);
    each["category"] = summed.part.empty() ? Json() : Json(summed.part);
    json["ids_added_across_layers"].push_back(std::move(each));
  }
  return json;
}

}  // namespace

std::string amount_words(const MapFindings& map) {
  return formula(map.amount, 2);
}

std::string to_markdown(const FindingsReport& report) {
  std::string text = fmt::format("# Experts of {}\n", markdown_escape(report.source));
  if (report.map) {
    text += report.model.empty() ? "\n" : fmt::format("\nA map of {}. ", markdown_escape(report.model));
    text += fmt::format("{} layers of {} experts; the amount is {}.\n\n", report.map->layers.size(),
                        report.map->table.experts, markdown_escape(amount_words(*report.map)));
    text += layer_table(*report.map) + overlap_table(*report.map) + summed_table(*report.map);
  }
  if (!report.weights.empty()) text += weights_table(report.weights);
  return text;
}

Json to_json(const FindingsReport& report) {
  Json json = {{"source", report.source}};
  if (report.map) {
    json["model"] = report.model;
    json["map"] = json_of(*report.map);
  }
  if (!report.weights.empty()) {
    json["weights"] = Json::array();
    for (const auto& layer : report.weights) {
      Json each = {{"layer", layer.layer}, {"experts", layer.experts}, {"whole", json_of(layer.whole)}};
      for (const auto& [name, cosines] : layer.by_tensor) each["by_tensor"][name] = json_of(cosines);
      json["weights"].push_back(std::move(each));
    }
  }
  return json;
}

}  // namespace gpqa
