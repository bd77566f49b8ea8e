// experts/: makes variants of a model. A drop map says which experts of each layer go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gpqa {

// llama.cpp's limit of layers, and twice its limit of experts.
inline constexpr std::size_t kMostLayers = 512;
inline constexpr std::uint32_t kMostExperts = 1024;

inline constexpr std::size_t kMostDropMapBytes = 16u << 20;  // 512 layers of 1024 ids, each on a line

// Experts of a layer by their ids, ascending, each once.
using ExpertIds = std::vector<std::uint32_t>;

struct DropMap {
  std::vector<ExpertIds> dropped;  // [layers]; of each layer as many, since a model has one number of experts

  std::size_t layers() const { return dropped.size(); }
  std::size_t drops() const { return dropped.empty() ? 0 : dropped[0].size(); }  // of each layer
  bool operator==(const DropMap&) const = default;
};

// The author's format, {"<layer>": [dropped ids]}. Layers are 0..L-1 in any order; ids may stand in any order
// (his script makes a set of them) and come out sorted. `path` is for messages. Throws FormatError.
DropMap parse_drop_map(std::string_view json, const std::filesystem::path& path);
DropMap read_drop_map(const std::filesystem::path& path);  // InputError if it can't be opened
// As Python's json.dump(map, indent=2) writes it, byte for byte.
std::string drop_map_json(const DropMap& map);
// What tells maps apart by what they say, however they are written: SHA-256 of drop_map_json().
std::string content_hash(const DropMap& map);

// Of experts 0..experts-1 those that stay.
ExpertIds kept(const DropMap& map, std::size_t layer, std::uint32_t experts);
DropMap map_of_kept(const std::vector<ExpertIds>& kept, std::uint32_t experts);

// Throws InputError unless the map is one for a model of `layers` layers with `experts` experts, of which
// `used` (the router's top-k; where it is known) are left.
void check_fits(const DropMap& map, const std::filesystem::path& path, std::size_t layers,
                std::uint32_t experts, std::optional<std::uint32_t> used);

// How the drops of two maps of as many layers lie to each other.
enum class Nesting { equal, inside, around, crossing };  // the first one's drops lie inside the second one's
Nesting nesting(const DropMap& a, const DropMap& b);
std::size_t shared_drops(const ExpertIds& a, const ExpertIds& b);

}  // namespace gpqa
