// Weights as float32, as ggml's formats define them.
#pragma once

#include <cstddef>
#include <span>

#include "runners/model_files/block_formats.h"

namespace gpqa {

// F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K, Q5_0, Q4_0.
bool can_dequantize(const BlockFormat& format);

// Whole blocks: out.size() is a multiple of format.elements, and bytes.size() is what so many elements take.
// float32 in ggml's order of operations, so that results equal ggml's to the bit.
// Throws InputError if the format isn't among those above.
void dequantize(const BlockFormat& format, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace gpqa
