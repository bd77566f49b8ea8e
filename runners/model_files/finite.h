// Whether a tensor's numbers are numbers: a NaN in one expert would spoil only the answers that meet it.
#pragma once

#include <cstdint>
#include <optional>

#include "runners/model_files/tensor_view.h"

namespace gpqa {

// The first element that is NaN or infinite; of blocks, the first of the block whose scale is. Formats that
// dequantize() doesn't read are passed over. Reads every byte of a float tensor, and the scales of blocks.
std::optional<std::uint64_t> find_not_finite(const TensorView& tensor);

}  // namespace gpqa
