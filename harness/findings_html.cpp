// The HTML side of findings_report.h.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "harness/findings_report.h"
#include "harness/svg.h"

namespace gpqa {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1c2024; --quiet: #626a73; --rule: #dfe3e8; --heat: #0b5fb0; --second: #b4530a;
  --faint: #8ab4dc; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --ink: #e6e8ea; --quiet: #9aa3ad; --rule: #30363d;
  --heat: #6cb2f7; --second: #f0a35e;
  --faint: #3d6a94; } }
body { background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 900px; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .3rem; }
p { margin: .3rem 0 .8rem; max-width: 75ch; } .quiet { color: var(--quiet); }
svg { display: block; height: auto; max-width: 100%; margin: .6rem 0; }
svg text { fill: var(--ink); font-size: 11px; } svg text.axis { fill: var(--quiet); }
.cell { fill: var(--heat); } .rule { stroke: var(--rule); stroke-width: 1; }
path { fill: none; } .faint { stroke: var(--faint); stroke-width: 1; opacity: .7; } .strong { stroke: var(--heat);
  stroke-width: 2.5; }
.second { stroke: var(--second); stroke-width: 2.5; stroke-dasharray: 7 4; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { border-bottom: 1px solid var(--rule); padding: .15rem .7rem; text-align: right; } th { color: var(--quiet);
  font-weight: 600; } td.name, th.name { text-align: left; }
.key { display: inline-block; width: 160px; height: 10px; vertical-align: middle;
  background: linear-gradient(to right, transparent, var(--heat)); border: 1px solid var(--rule); }
)";

std::string percent(double share) {
  return fmt::format("{:.0f}%", 100 * share);
}

class Page {
 public:
  void heading(std::string_view text) { html_ += fmt::format("<h2>{}</h2>\n", html_escape(text)); }
  void words(std::string_view text, bool quiet = false) {
    html_ += fmt::format("<p{}>{}</p>\n", quiet ? " class=\"quiet\"" : "", html_escape(text));
  }
  void raw(std::string_view html) { html_ += html; }
  void key(std::string_view low, std::string_view high) {
    html_ += fmt::format("<p class=\"quiet\">{} <span class=\"key\"></span> {}</p>\n", html_escape(low),
                         html_escape(high));
  }
  // The first column holds names if `named`.
  void table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows,
             bool named) {
    html_ += "<div class=\"scroll\"><table>\n<thead><tr>";
    const auto cell = [&](const char* tag, std::size_t column, const std::string& text) {
      html_ += fmt::format("<{0}{1}>{2}</{0}>", tag, named && column == 0 ? " class=\"name\"" : "",
                           html_escape(text));
    };
    for (std::size_t i = 0; i < head.size(); ++i) cell("th", i, head[i]);
    html_ += "</tr></thead>\n<tbody>\n";
    for (const auto& row : rows) {
      html_ += "<tr>";
      for (std::size_t i = 0; i < row.size(); ++i) cell("td", i, row[i]);
      html_ += "</tr>\n";
    }
    html_ += "</tbody></table></div>\n";
  }
  std::string finish(std::string_view title) const {
    return fmt::format(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n"
        "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{2}</body>\n</html>\n",
        html_escape(title), kStyle, html_);
  }

 private:
  std::string html_;
};

// A layer's experts from the one that contributes most.
std::vector<std::uint32_t> by_rank(std::span<const double> amounts) {
  std::vector<std::uint32_t> ids(amounts.size());
  for (std::uint32_t id = 0; id < ids.size(); ++id) ids[id] = id;
  std::stable_sort(ids.begin(), ids.end(), [&](auto a, auto b) { return amounts[a] > amounts[b]; });
  return ids;
}

void add_shares(Page& page, const MapFindings& map, bool ranked) {
  std::vector<std::vector<std::uint32_t>> order;
  double largest = 0;
  const auto share = [&](std::size_t layer, std::size_t id) {
    const double total = map.layers[layer].spread.total;
    return total > 0 ? map.table.layer(static_cast<std::uint32_t>(layer))[id] / total : 0;
  };
  for (std::uint32_t layer = 0; layer < map.table.layers; ++layer) {
    order.push_back(by_rank(map.table.layer(layer)));
    largest = std::max(largest, share(layer, order.back()[0]));
  }
  const auto id_at = [&](std::size_t layer, std::size_t column) {
    return ranked ? order[layer][column] : static_cast<std::uint32_t>(column);
  };
  // The square root, so that the many small ones can be told apart.
  page.raw(heat_map(
      {.rows = map.table.layers,
       .columns = map.table.experts,
       .value = [&](auto r, auto c) { return largest > 0 ? std::sqrt(share(r, id_at(r, c)) / largest) : 0; },
       .title =
           [&](auto r, auto c) {
             return fmt::format("layer {}, expert {}: {:.2f}% of the layer", r, id_at(r, c),
                                100 * share(r, id_at(r, c)));
           },
       .row_axis = "layer",
       .column_axis = ranked ? "expert, the one that contributes most first" : "expert"}));
  page.key("0", fmt::format("{:.1f}% of the layer (colour by the square root)", 100 * largest));
}

void add_map(Page& page, const MapFindings& map) {
  page.heading("Each expert's share of its layer");
  page.words("Every row is a layer; its cells add up to 100%.", true);
  add_shares(page, map, false);
  page.heading("The same, sorted by rank");
  add_shares(page, map, true);

  page.heading("How few experts hold how much");
  page.words(
      "Share of a layer's amount that its k largest experts hold: a line a layer. The strong line is what "
      "comes "
      "of adding equal ids across layers, as the author did; it says nothing about a layer.",
      true);
  Curves shares{.lines = {},
                .first_x = 1,
                .marks = {0, 0.5, 0.8, 0.9, 0.95, 1},
                .x_axis = "experts",
                .y_label = percent};
  for (std::size_t i = 0; i < map.layers.size(); ++i)
    shares.lines.push_back({fmt::format("layer {}", i), map.layers[i].spread.curve});
  shares.lines.push_back({"ids added", map.summed[0].spread.curve, true});
  page.raw(curves(shares));

  page.heading("Gini and importance of the layers");
  Line gini{"Gini", {}, true};
  Line importance{"importance", {}, true};
  for (const auto& layer : map.layers) {
    gini.values.push_back(layer.spread.gini);
    importance.values.push_back(layer.importance);
  }
  page.words(
      "Gini: 0 if all experts contribute alike, towards 1 if one does all. Importance: the layer's amount "
      "against the largest layer's.",
      true);
  page.raw(curves({.lines = {gini, importance},
                   .marks = {0, 0.25, 0.5, 0.75, 1},
                   .x_axis = "layer",
                   .y_label = [](double y) { return fmt::format("{:.2f}", y); }}));
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < map.layers.size(); ++i) {
    const auto& layer = map.layers[i];
    rows.push_back({fmt::format("{}", i), fmt::format("{:.3f}", layer.spread.gini),
                    fmt::format("{}", layer.spread.experts_for(0.8)),
                    fmt::format("{}", layer.spread.experts_for(0.9)),
                    fmt::format("{}", layer.spread.experts_for(0.95)),
                    fmt::format("{:.3f}", layer.importance), fmt::format("{}", layer.never.size())});
  }
  page.table({"layer", "Gini", "experts for 80%", "90%", "95%", "importance", "never routed to"}, rows,
             false);

  if (!map.overlaps.empty()) {
    page.heading(fmt::format("Top {} experts, category against category", map.top));
    page.words(
        fmt::format(
            "Experts that are among a layer's top {} in both, mean over layers; by chance {:.1f}. Under "
            "the diagonal: after adding equal ids across layers, as the author did.",
            map.top, static_cast<double>(map.top * map.top) / map.table.experts),
        true);
    const auto pair_of = [&](std::size_t a, std::size_t b) -> const PairOverlap& {
      return *std::find_if(map.overlaps.begin(), map.overlaps.end(), [&](const auto& pair) {
        return pair.first == std::min(a, b) && pair.second == std::max(a, b);
      });
    };
    const auto amount = [&](std::size_t r, std::size_t c) {
      return r < c ? pair_of(r, c).mean : static_cast<double>(pair_of(r, c).summed);
    };
    page.raw(matrix({.names = map.parts,
                     .value = [&](auto r, auto c) { return amount(r, c) / static_cast<double>(map.top); },
                     .label =
                         [&](auto r, auto c) {
                           return r < c ? fmt::format("{:.1f}", amount(r, c))
                                        : fmt::format("{}", amount(r, c));
                         }}));
  }
  page.heading("As the author added it up");
  page.words(
      "Amounts of equal ids added across layers; to be compared with the card's figures, and no statement "
      "about "
      "a layer.",
      true);
  rows.clear();
  for (const auto& summed : map.summed)
    rows.push_back(
        {summed.part.empty() ? "all together" : summed.part, fmt::format("{:.3f}", summed.spread.gini),
         fmt::format("{}", summed.spread.experts_for(0.8)), fmt::format("{}", summed.spread.experts_for(0.9)),
         fmt::format("{}", summed.spread.experts_for(0.95))});
  page.table({"category", "Gini", "experts for 80%", "90%", "95%"}, rows, true);
}

void add_weights(Page& page, const std::vector<LayerSimilarity>& weights) {
  page.heading("How alike the experts' weights are");
  page.words(
      "Cosines of all pairs of a layer's experts, each expert all of its weights in one row. At 0 two have "
      "nothing in common, and their mean is neither of them.",
      true);
  Line largest{"largest", {}, true};
  Line mean{"mean size", {}, true};
  double top = 0;
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> head = {"layer", "experts", "largest", "of the pair", "mean", "mean size"};
  for (const auto& [name, cosines] : weights.front().by_tensor) head.push_back("largest in " + name);
  for (const auto& layer : weights) {
    largest.values.push_back(layer.whole.max);
    mean.values.push_back(layer.whole.mean_size);
    top = std::max(top, layer.whole.max);
    rows.push_back({fmt::format("{}", layer.layer), fmt::format("{}", layer.experts),
                    fmt::format("{:.4f}", layer.whole.max),
                    fmt::format("{}, {}", layer.whole.first, layer.whole.second),
                    fmt::format("{:.4f}", layer.whole.mean), fmt::format("{:.4f}", layer.whole.mean_size)});
    for (const auto& [name, cosines] : layer.by_tensor)
      rows.back().push_back(fmt::format("{:.4f}", cosines.max));
  }
  // The axis ends above the largest: cosines of experts are small, and a full axis would show a flat line.
  double end = 0.01;
  while (end < top) end *= 2;
  end = std::min(end, 1.0);
  page.raw(curves({.lines = {largest, mean},
                   .first_x = weights.front().layer,
                   .y_high = end,
                   .marks = {0, end / 4, end / 2, 3 * end / 4, end},
                   .x_axis = "layer",
                   .y_label = [](double y) { return fmt::format("{:.3g}", y); }}));
  page.table(head, rows, false);
}

}  // namespace

std::string to_html(const FindingsReport& report) {
  Page page;
  if (report.map) {
    page.words(fmt::format("{}{} layers of {} experts; the amount is {}.",
                           report.model.empty() ? "" : fmt::format("A map of {}. ", report.model),
                           report.map->layers.size(), report.map->table.experts, amount_words(*report.map)));
    add_map(page, *report.map);
  }
  if (!report.weights.empty()) add_weights(page, report.weights);
  return page.finish(fmt::format("Experts of {}", report.source));
}

}  // namespace gpqa
