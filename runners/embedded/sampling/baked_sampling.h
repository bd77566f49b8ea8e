// What a GGUF file bakes in of sampling.
#pragma once

#include "runners/embedded/sampling/sampler_settings.h"
#include "runners/model_files/gguf_file.h"

namespace gpqa {

// Throws FormatError naming the key whose value isn't one.
BakedSampling read_baked_sampling(const GgufFile& file);

}  // namespace gpqa
