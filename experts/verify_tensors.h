// The part of verify_drop.h that is the same for every kind of file: tensors and their experts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "experts/expert_counts.h"
#include "experts/expert_slices.h"
#include "experts/verify_drop.h"

namespace gpqa {

// Of an original that was checked; counts, layers, lists and all damages of tensors.
Verification verify_tensors(const ExpertSlices& original, const ExpertSlices& pruned,
                            const ExpertCounts& counts, const VerifyOptions& options);

// The pruned model's own word of how many experts it has, at `where`.
void verify_count(std::string_view where, std::uint64_t said, Verification& verification);
// What the pruned model's record of dropped experts says, as far as it is one: JSON with "drop", a drop map.
void verify_record(std::string_view where, std::string_view json, Verification& verification);

}  // namespace gpqa
