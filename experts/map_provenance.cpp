#include "experts/map_provenance.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "experts/known_maps.h"
#include "experts/small_json.h"
#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "prompts/utf8.h"
#include "runners/model_files/output_file.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 4u << 20;
constexpr std::uint64_t kFormat = 1;  // grows when a field changes its meaning

struct Reader {
  const fs::path& path;

  [[noreturn]] void fail(std::string_view key, std::string_view expected) const {
    throw FormatError(path.string(), std::string(key), fmt::format("expected {}", expected));
  }

  simdjson::dom::element at(simdjson::dom::element object, const char* key) const {
    simdjson::dom::element value;
    if (object[key].get(value) != simdjson::SUCCESS) {
      fail(key, "this key");
    }
    return value;
  }

  template <class Value>
  Value get(simdjson::dom::element object, const char* key, const char* expected) const {
    Value value{};
    if (at(object, key).get(value) != simdjson::SUCCESS) {
      fail(key, expected);
    }
    return value;
  }

  std::string text(simdjson::dom::element object, const char* key) const {
    return std::string(get<std::string_view>(object, key, "a string"));
  }

  std::string hash(simdjson::dom::element object, const char* key) const {
    auto hex = text(object, key);
    if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
      fail(key, "a SHA-256 in 64 lower-case hex digits");
    }
    return hex;
  }

  MapSource source(simdjson::dom::element object) const {
    MapSource source{.file = text(object, "file"), .sha256 = hash(object, "sha256"), .used = {}};
    for (const auto name : get<simdjson::dom::array>(object, "used", "an array of names")) {
      std::string_view word;
      if (name.get(word) != simdjson::SUCCESS) {
        fail("used", "an array of names");
      }
      source.used.emplace_back(word);
    }
    return source;
  }

  MapProvenance provenance(simdjson::dom::element root) const {
    if (!root.is_object()) {
      fail("", "where a drop map comes from, as an object");
    }
    if (get<std::uint64_t>(root, "format", "a number") != kFormat) {
      fail("format", fmt::format("format {}; it was written by another version of gpqa", kFormat));
    }
    MapProvenance provenance;
    provenance.map_sha256 = hash(root, "map_sha256");
    provenance.calibrated_on = text(root, "calibrated_on");
    provenance.on_evaluated_questions = get<bool>(root, "on_evaluated_questions", "true or false");
    provenance.criterion = text(root, "criterion");
    const auto experts = get<std::uint64_t>(root, "experts", "a number of experts");
    if (experts > kMostExperts) {
      fail("experts", fmt::format("a number up to {}", kMostExperts));
    }
    provenance.experts = static_cast<std::uint32_t>(experts);
    for (const auto each : get<simdjson::dom::array>(root, "sources", "an array")) {
      provenance.sources.push_back(source(each));
    }
    return provenance;
  }
};

}  // namespace

fs::path provenance_path(const fs::path& map) {
  return map.string() + ".provenance.json";
}

std::string provenance_json(const MapProvenance& provenance) {
  using Json = nlohmann::ordered_json;
  Json sources = Json::array();
  for (const auto& source : provenance.sources) {
    Json used = Json::array();
    for (const auto& name : source.used) {
      used.push_back(with_valid_utf8(name));
    }
    sources.push_back({{"file", with_valid_utf8(source.file)}, {"sha256", source.sha256}, {"used", used}});
  }
  const Json json = {{"format", kFormat},
                     {"map_sha256", provenance.map_sha256},
                     {"calibrated_on", with_valid_utf8(provenance.calibrated_on)},
                     {"on_evaluated_questions", provenance.on_evaluated_questions},
                     {"criterion", with_valid_utf8(provenance.criterion)},
                     {"experts", provenance.experts},
                     {"sources", sources}};
  return json.dump(2) + "\n";
}

MapProvenance parse_provenance(std::string_view json, const fs::path& path) {
  const SmallJson document(json, path, kMostBytes);
  return Reader{path}.provenance(document.root());
}

TracedMap read_traced_map(const fs::path& path) {
  const auto bytes = read_small_file(path, kMostDropMapBytes);
  TracedMap traced{.map = parse_drop_map(bytes, path),
                   .sha256 = sha256_hex(bytes),
                   .experts = {},
                   .calibrated_on = {},
                   .criterion = {},
                   .known_as = {}};
  const auto beside = provenance_path(path);
  if (fs::exists(beside)) {
    auto said = parse_provenance(read_small_file(beside, kMostBytes), beside);
    if (said.map_sha256 != traced.sha256) {
      throw FormatError(
          beside.string(), "map_sha256",
          fmt::format("is of another map: it names {}, but {} has {}. One of the two was changed; "
                      "make the map again, or remove this file and say where the map comes from",
                      said.map_sha256, path.string(), traced.sha256));
    }
    traced.calibrated_on = std::move(said.calibrated_on);
    traced.on_evaluated_questions = said.on_evaluated_questions;
    traced.criterion = std::move(said.criterion);
    if (said.experts > 0) {
      traced.experts = said.experts;
    }
  }
  if (const auto* known = find_known_map(traced.map)) {
    traced.known_as = fmt::format("{} ({})", known->file, known->name);
    traced.experts = known->experts;
    traced.on_evaluated_questions = traced.on_evaluated_questions || known->on_evaluated_questions;
    if (traced.calibrated_on.find(known->calibrated_on) == std::string::npos) {
      traced.calibrated_on +=
          fmt::format("{}{}", traced.calibrated_on.empty() ? "" : "; the same map as the published one from ",
                      known->calibrated_on);
    }
  }
  return traced;
}

void write_traced_map(const fs::path& path, const DropMap& map, MapProvenance provenance) {
  const auto text = drop_map_json(map);
  provenance.map_sha256 = sha256_hex(text);
  const auto said = provenance_json(provenance);
  OutputFile file(path, text.size());
  OutputFile beside(provenance_path(path), said.size());
  file.write(text);
  beside.write(said);
  file.sync();
  beside.sync();
  // What a map comes from is there before the map is: a map alone would pass for one of unknown origin.
  beside.finish();
  file.finish();
}

}  // namespace gpqa
