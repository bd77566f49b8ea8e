// What every model is asked for its fingerprint, so that fingerprints can be compared.
#pragma once

#include <cstddef>

namespace gpqa {

inline constexpr const char* kFingerprintPrompt = "Name the first ten chemical elements, one a line.";
inline constexpr std::size_t kFingerprintTokens = 32;
inline constexpr std::size_t kFingerprintTop = 5;  // likeliest tokens at each place

}  // namespace gpqa
