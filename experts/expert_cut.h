// A tensor that keeps some of its experts: nothing is computed, whole slices of bytes are copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "experts/drop_map.h"
#include "experts/expert_slices.h"
#include "runners/model_files/tensor_view.h"

namespace gpqa {

// [layers]: ids that stay, ascending; of each layer as many.
using KeepLists = std::vector<ExpertIds>;

KeepLists keep_lists(const DropMap& map, std::uint64_t experts);

// What the tensors are once the others are gone; in the order of model.all().
std::vector<TensorInfo> cut_infos(const ExpertSlices& model, const KeepLists& keep);

// Called between pieces with the bytes that are written; whoever wants to stop throws from it.
using OnBytes = std::function<void(std::uint64_t done)>;
using WriteBytes = std::function<void(std::span<const std::byte>)>;

// Hands on the bytes of cut_infos(), one tensor after another, from mapped files: what was handed on is given
// back, so that little of the model is in memory.
void write_cut(const ExpertSlices& model, const KeepLists& keep, const WriteBytes& write,
               const OnBytes& on_bytes);

}  // namespace gpqa
