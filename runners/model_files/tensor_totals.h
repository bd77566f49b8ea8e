// What both kinds of summary count in the same way.
#pragma once

#include <span>

#include "runners/model_files/model_summary.h"

namespace gpqa {

// Fills `types`, `elements` and `bytes`.
void add_tensor_totals(std::span<const TensorView> tensors, ModelSummary& out);

}  // namespace gpqa
