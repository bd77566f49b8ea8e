// The small JSON files of a checkpoint's folder: config.json, tokenizer_config.json, generation_config.json.
#pragma once

#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

namespace gpqa {

// The object in it; none if there is no such file. Throws FormatError for anything else than an object. Not
// by simdjson: transformers writes numbers of 31 digits into them, which it refuses.
std::optional<nlohmann::json> read_checkpoint_json(const std::filesystem::path& path);

}  // namespace gpqa
