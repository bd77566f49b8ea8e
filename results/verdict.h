// What a difference can and can't tell, in a plain sentence.
#pragma once

#include <cstdint>
#include <string>

#include "results/compare.h"

namespace gpqa {

std::string paired_verdict(const PairedDifference& difference, std::int64_t repeats);
std::string unpaired_verdict(const UnpairedDifference& difference, std::int64_t reference_correct,
                             std::int64_t variant_correct, std::int64_t n);

}  // namespace gpqa
