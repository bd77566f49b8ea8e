// Experts dropped from a Hugging Face checkpoint: its folder, with fewer of them.
#pragma once

#include <cstdint>
#include <filesystem>

#include "experts/drop_report.h"
#include "experts/map_provenance.h"

namespace gpqa {

// Writes the folder `out`: the tensors in the source's order, in files of up to `shard_bytes` with an index
// (one file without an index if all fit into it); config.json with another number of experts and no other
// byte changed; the small files that lie beside (tokenizer, template, generation config);
// expert_drop_metadata.json. Left out are other weights, folders, hidden files, and the README, which tells
// of another model. Throws what reading the model, check_fits and OutputFolder throw, and InputError for an
// `out` inside the source.
DropReport drop_from_checkpoint(const std::filesystem::path& folder, const TracedMap& map,
                                const std::filesystem::path& map_path, const std::filesystem::path& out,
                                std::uint64_t shard_bytes, const OnProgress& on_progress);

}  // namespace gpqa
