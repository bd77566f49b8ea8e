// Where a drop map comes from. It stands in a file beside the map: the map's own format has no room for it
// (its author's script takes every key for a layer).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experts/drop_map.h"

namespace gpqa {

// A contribution map that a drop map was made from.
struct MapSource {
  std::string file;  // its name, without folders
  std::string sha256;
  std::vector<std::string> used;  // of its categories
  bool operator==(const MapSource&) const = default;
};

struct MapProvenance {
  std::string map_sha256;     // of the drop map's bytes
  std::string calibrated_on;  // in words; "" if nobody said
  bool on_evaluated_questions = false;
  std::string criterion;      // in words: "2*wnorm + tc, summed; the lowest 30 of each layer go"
  std::uint32_t experts = 0;  // of a layer before dropping; 0: not known
  std::vector<MapSource> sources;
  bool operator==(const MapProvenance&) const = default;
};

// A drop map with all that is known of it.
struct TracedMap {
  DropMap map;
  std::string sha256;  // of the file's bytes
  std::optional<std::uint32_t> experts;
  std::string calibrated_on;  // "" if not known
  bool on_evaluated_questions = false;
  std::string criterion;  // "" if not known
  std::string known_as;   // a published map of the same content: "teacher_force_98e_p16_clean.json (98e v3)"
};

// MAP.json -> MAP.json.provenance.json
std::filesystem::path provenance_path(const std::filesystem::path& map);
std::string provenance_json(const MapProvenance& provenance);
// Throws FormatError.
MapProvenance parse_provenance(std::string_view json, const std::filesystem::path& path);

// The map, and what the file beside it and the published maps say of it. A file beside that names another
// SHA-256 than the map's is an error: one of the two was changed.
TracedMap read_traced_map(const std::filesystem::path& path);
// Both files, whole or not at all under their names; none may exist.
void write_traced_map(const std::filesystem::path& path, const DropMap& map, MapProvenance provenance);

}  // namespace gpqa
