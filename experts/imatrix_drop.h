// An importance matrix cut like its model: llama-quantize refuses one that has other experts than the model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "experts/drop_report.h"
#include "experts/map_provenance.h"

namespace gpqa {

// llama-imatrix's GGUF (general.type = imatrix), or its older format, which doesn't begin with "GGUF".
bool is_imatrix(const std::filesystem::path& path);

// Sums and counts of each expert's inputs are cut; what isn't of experts stays as it is. Statistics over all
// experts of a tensor (`.stats`, for people to read) would no longer be true and are left out. `experts`: of
// a layer before; without it, as many as the file shows. Throws what reading the file, check_fits and
// OutputFile throw.
DropReport drop_from_imatrix(const std::filesystem::path& imatrix, const TracedMap& map,
                             const std::filesystem::path& map_path, std::optional<std::uint32_t> experts,
                             const std::filesystem::path& out);

}  // namespace gpqa
