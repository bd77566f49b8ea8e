// Experts dropped from a GGUF: whole slices are copied as they lie in it, whatever they are quantised to.
#pragma once

#include <filesystem>

#include "experts/drop_map.h"
#include "experts/drop_report.h"
#include "experts/map_provenance.h"

namespace gpqa {

// Writes `out`, one file (a split model becomes one), with the source's tensors in its order, types and
// alignment, and its keys; `expert_count` changes, gpqa.expert_drop.* are added. Throws what reading the
// model, check_fits and OutputFile throw.
DropReport drop_from_gguf(const std::filesystem::path& model, const TracedMap& map,
                          const std::filesystem::path& map_path, const std::filesystem::path& out,
                          const OnProgress& on_progress);

}  // namespace gpqa
