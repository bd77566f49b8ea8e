// What a reader must know before believing a comparison.
#pragma once

#include <string>
#include <vector>

#include "results/compare.h"

namespace gpqa {

// How the drop map was calibrated, if on evaluated questions; "" otherwise.
std::string contamination(const Manifest& manifest);

// Fields of the two manifests that differ and are not what variants are about.
void warn_of_differences(const RunRecord& reference, const std::string& reference_name, const RunRecord& run,
                         const std::string& name, std::vector<std::string>& warnings);

// Trials that only one of the two has, or that failed in one: the delta is over the others.
void warn_of_missing_pairs(const ComparedVariant& reference, const ComparedVariant& variant,
                           std::vector<std::string>& warnings);

// One variant's dropped experts lie inside the other's: neither says much beside the other.
void warn_of_nested_maps(const Manifest& a, const std::string& a_name, const Manifest& b,
                         const std::string& b_name, std::vector<std::string>& warnings);

// What is wrong with a run by itself: unfinished, failed, cut, sampled otherwise, contaminated.
void warn_of_run(const RunRecord& run, const ComparedVariant& variant, std::vector<std::string>& warnings);

}  // namespace gpqa
