// Published drop maps: recognised by what they say, whoever wrote the file that says it.
#pragma once

#include <span>
#include <string_view>

#include "experts/drop_map.h"

namespace gpqa {

struct KnownMap {
  std::string_view name;            // of the model that was made by it
  std::string_view file;            // as its author calls it
  std::string_view source;          // where it is published
  std::string_view calibrated_on;   // the questions that it was made from
  bool on_evaluated_questions;      // scores of a model made by it are contaminated
  std::uint32_t experts;            // of a layer before dropping
  std::string_view content_sha256;  // content_hash() of `map`; the published file has the same bytes
  DropMap map;
};

std::span<const KnownMap> known_maps();
// nullptr: none of them.
const KnownMap* find_known_map(const DropMap& map);

}  // namespace gpqa
