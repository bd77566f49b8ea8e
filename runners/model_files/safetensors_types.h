// safetensors' dtypes as block formats: with ggml's id where it has the same type.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "runners/model_files/block_formats.h"

namespace gpqa {

inline constexpr std::uint32_t kNoGgmlType = UINT32_MAX;

// Those without an id can be listed and copied, and nothing else.
inline constexpr std::array kSafetensorsTypes = {BlockFormat{0, "F32", 1, 4},
                                                 BlockFormat{1, "F16", 1, 2},
                                                 BlockFormat{30, "BF16", 1, 2},
                                                 BlockFormat{24, "I8", 1, 1},
                                                 BlockFormat{25, "I16", 1, 2},
                                                 BlockFormat{26, "I32", 1, 4},
                                                 BlockFormat{27, "I64", 1, 8},
                                                 BlockFormat{28, "F64", 1, 8},
                                                 BlockFormat{kNoGgmlType, "BOOL", 1, 1},
                                                 BlockFormat{kNoGgmlType, "U8", 1, 1},
                                                 BlockFormat{kNoGgmlType, "U16", 1, 2},
                                                 BlockFormat{kNoGgmlType, "U32", 1, 4},
                                                 BlockFormat{kNoGgmlType, "U64", 1, 8},
                                                 BlockFormat{kNoGgmlType, "C64", 1, 8},
                                                 BlockFormat{kNoGgmlType, "F8_E4M3", 1, 1},
                                                 BlockFormat{kNoGgmlType, "F8_E5M2", 1, 1},
                                                 BlockFormat{kNoGgmlType, "F8_E8M0", 1, 1},
                                                 BlockFormat{kNoGgmlType, "F6_E2M3", 4, 3},
                                                 BlockFormat{kNoGgmlType, "F6_E3M2", 4, 3},
                                                 BlockFormat{kNoGgmlType, "F4", 2, 1}};

constexpr std::optional<BlockFormat> safetensors_type(std::string_view dtype) {
  for (const auto& format : kSafetensorsTypes) {
    if (format.name == dtype) {
      return format;
    }
  }
  return std::nullopt;
}

}  // namespace gpqa
