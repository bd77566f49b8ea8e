// What a difference can and can't tell, in a plain sentence.
#pragma once

#include <cstdint>
#include <string>

#include "results/compare.h"

namespace gpqa {

std::string paired_verdict(const PairedDifference& difference);
std::string unpaired_verdict(const UnpairedDifference& difference, std::int64_t reference_correct,
                             std::int64_t variant_correct, std::int64_t n);

// The most flips among which a net of `net` is significant by the exact McNemar test, up to `possible` (as
// `net` is, or one less); 0: a net so small never is.
std::int64_t most_significant_flips(std::int64_t net, std::int64_t possible);

}  // namespace gpqa
