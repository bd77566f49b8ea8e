// What a model's files bake in of sampling.
#pragma once

#include <filesystem>
#include <span>

#include "runners/embedded/sampling/sampler_settings.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/vocabulary.h"

namespace gpqa {

// Throws FormatError naming the key whose value isn't one.
BakedSampling read_baked_sampling(const GgufFile& file);

// Of a checkpoint's folder: what a GGUF made of it would bake in, from its generation_config.json.
// `suppressed`: as its vocabulary says.
BakedSampling read_baked_sampling(const std::filesystem::path& folder, std::span<const TokenId> suppressed);

}  // namespace gpqa
