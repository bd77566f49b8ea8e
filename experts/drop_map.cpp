#include "experts/drop_map.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "experts/small_json.h"
#include "prompts/input_error.h"
#include "prompts/sha256.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

std::string quoted(std::string_view key) {
  constexpr std::size_t kLong = 40;
  return fmt::format("'{}{}'", key.substr(0, kLong), key.size() > kLong ? "..." : "");
}

struct Reader {
  const fs::path& path;

  [[noreturn]] void fail(const std::string& place, const std::string& message) const {
    throw FormatError(path.string(), place, message);
  }

  ExpertIds ids(simdjson::dom::element element, const std::string& place) const {
    simdjson::dom::array array;
    if (element.get(array) != simdjson::SUCCESS) {
      fail(place, "expected the list of the layer's dropped experts, e.g. [2, 10, 12]");
    }
    ExpertIds ids;
    for (const auto item : array) {
      std::uint64_t id = 0;
      if (item.get(id) != simdjson::SUCCESS || id >= kMostExperts) {
        fail(place, fmt::format("expected an expert's id, a whole number from 0 to {}, found {}",
                                kMostExperts - 1, simdjson::minify(item).substr(0, 40)));
      }
      ids.push_back(static_cast<std::uint32_t>(id));
    }
    std::sort(ids.begin(), ids.end());
    if (const auto twice = std::adjacent_find(ids.begin(), ids.end()); twice != ids.end()) {
      fail(place, fmt::format("expert {} stands twice", *twice));
    }
    if (ids.empty()) {
      fail(place, "drops no expert; expected at least one");
    }
    return ids;
  }

  DropMap map(simdjson::dom::element root) const {
    simdjson::dom::object object;
    if (root.get(object) != simdjson::SUCCESS) {
      fail("", "expected a drop map, {\"<layer>\": [dropped experts], ...}");
    }
    std::vector<std::optional<ExpertIds>> layers;
    for (const auto [key, value] : object) {
      const auto layer = layer_number(key);
      if (!layer) {
        fail("", fmt::format(
                     "expected layers 0, 1, 2, ... (below {}) as keys, found {}{}", kMostLayers, quoted(key),
                     key == "metadata" || key == "categories" || key == "questions"
                         ? "; this is a contribution map, from which `gpqa experts plan` makes a drop map"
                         : ""));
      }
      layers.resize(std::max(layers.size(), *layer + 1));
      auto& slot = layers[*layer];
      if (slot) {
        fail(fmt::format("layer {}", *layer), "stands twice");
      }
      slot = ids(value, fmt::format("layer {}", *layer));
    }
    if (layers.empty()) {
      fail("", "the map is empty; expected a list of dropped experts for each layer");
    }
    DropMap map;
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      if (!layers[layer]) {
        fail(
            fmt::format("layer {}", layer),
            fmt::format("is missing, but layer {} is there; expected every layer from 0", layers.size() - 1));
      }
      if (layer > 0 && layers[layer]->size() != map.drops()) {
        fail(fmt::format("layer {}", layer),
             fmt::format(
                 "drops {} experts, layer 0 drops {}; a model has one number of experts, so every layer "
                 "must drop as many",
                 layers[layer]->size(), map.drops()));
      }
      map.dropped.push_back(std::move(*layers[layer]));
    }
    return map;
  }
};

}  // namespace

DropMap parse_drop_map(std::string_view json, const fs::path& path) {
  const SmallJson document(json, path, kMostDropMapBytes);
  return Reader{path}.map(document.root());
}

DropMap read_drop_map(const fs::path& path) {
  return parse_drop_map(read_small_file(path, kMostDropMapBytes), path);
}

std::string drop_map_json(const DropMap& map) {
  std::string text = "{";
  for (std::size_t layer = 0; layer < map.layers(); ++layer) {
    text += fmt::format("{}\n  \"{}\": [", layer == 0 ? "" : ",", layer);
    for (std::size_t i = 0; i < map.dropped[layer].size(); ++i) {
      text += fmt::format("{}\n    {}", i == 0 ? "" : ",", map.dropped[layer][i]);
    }
    text += map.dropped[layer].empty() ? "]" : "\n  ]";
  }
  return text + (map.layers() == 0 ? "}" : "\n}");
}

std::string content_hash(const DropMap& map) {
  return sha256_hex(drop_map_json(map));
}

ExpertIds kept(const DropMap& map, std::size_t layer, std::uint32_t experts) {
  const auto& dropped = map.dropped.at(layer);
  ExpertIds ids;
  for (std::uint32_t id = 0; id < experts; ++id) {
    if (!std::binary_search(dropped.begin(), dropped.end(), id)) {
      ids.push_back(id);
    }
  }
  return ids;
}

DropMap map_of_kept(const std::vector<ExpertIds>& kept_ids, std::uint32_t experts) {
  // What is not kept is dropped: the same complement.
  const DropMap keeps{kept_ids};
  DropMap map;
  for (std::size_t layer = 0; layer < kept_ids.size(); ++layer) {
    map.dropped.push_back(kept(keeps, layer, experts));
  }
  return map;
}

void check_fits(const DropMap& map, const fs::path& path, std::size_t layers, std::uint32_t experts,
                std::optional<std::uint32_t> used) {
  if (map.layers() != layers) {
    throw FormatError(path.string(), "",
                      fmt::format("the map has {} layers, the model {}", map.layers(), layers));
  }
  for (std::size_t layer = 0; layer < layers; ++layer) {
    if (!map.dropped[layer].empty() && map.dropped[layer].back() >= experts) {
      throw FormatError(path.string(), fmt::format("layer {}", layer),
                        fmt::format("drops expert {}, but the model has experts 0 to {}",
                                    map.dropped[layer].back(), experts - 1));
    }
  }
  const auto left = experts - static_cast<std::uint32_t>(map.drops());
  if (left < std::max(used.value_or(1), 1u)) {
    throw FormatError(
        path.string(), "",
        fmt::format("the map leaves {} of {} experts, but the model's router chooses {} for each token", left,
                    experts, used.value_or(1)));
  }
}

std::size_t shared_drops(const ExpertIds& a, const ExpertIds& b) {
  ExpertIds both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  return both.size();
}

Nesting nesting(const DropMap& a, const DropMap& b) {
  bool inside = a.layers() == b.layers();
  bool around = inside;
  for (std::size_t layer = 0; layer < a.layers() && (inside || around); ++layer) {
    const auto shared = shared_drops(a.dropped[layer], b.dropped[layer]);
    inside = inside && shared == a.dropped[layer].size();
    around = around && shared == b.dropped[layer].size();
  }
  return inside && around ? Nesting::equal
         : inside         ? Nesting::inside
         : around         ? Nesting::around
                          : Nesting::crossing;
}

}  // namespace gpqa
