// ggml's tensor types: how many elements a block holds, and in how many bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gpqa {

struct BlockFormat {
  std::uint32_t id;
  std::string_view name;
  std::uint32_t elements;
  std::uint32_t bytes;
};

// Ids as in ggml.h; those that are missing were never released or were withdrawn.
inline constexpr std::array kBlockFormats = {
    BlockFormat{0, "F32", 1, 4},         BlockFormat{1, "F16", 1, 2},
    BlockFormat{2, "Q4_0", 32, 18},      BlockFormat{3, "Q4_1", 32, 20},
    BlockFormat{6, "Q5_0", 32, 22},      BlockFormat{7, "Q5_1", 32, 24},
    BlockFormat{8, "Q8_0", 32, 34},      BlockFormat{9, "Q8_1", 32, 36},
    BlockFormat{10, "Q2_K", 256, 84},    BlockFormat{11, "Q3_K", 256, 110},
    BlockFormat{12, "Q4_K", 256, 144},   BlockFormat{13, "Q5_K", 256, 176},
    BlockFormat{14, "Q6_K", 256, 210},   BlockFormat{15, "Q8_K", 256, 292},
    BlockFormat{16, "IQ2_XXS", 256, 66}, BlockFormat{17, "IQ2_XS", 256, 74},
    BlockFormat{18, "IQ3_XXS", 256, 98}, BlockFormat{19, "IQ1_S", 256, 50},
    BlockFormat{20, "IQ4_NL", 32, 18},   BlockFormat{21, "IQ3_S", 256, 110},
    BlockFormat{22, "IQ2_S", 256, 82},   BlockFormat{23, "IQ4_XS", 256, 136},
    BlockFormat{24, "I8", 1, 1},         BlockFormat{25, "I16", 1, 2},
    BlockFormat{26, "I32", 1, 4},        BlockFormat{27, "I64", 1, 8},
    BlockFormat{28, "F64", 1, 8},        BlockFormat{29, "IQ1_M", 256, 56},
    BlockFormat{30, "BF16", 1, 2},       BlockFormat{34, "TQ1_0", 256, 54},
    BlockFormat{35, "TQ2_0", 256, 66},   BlockFormat{39, "MXFP4", 32, 17},
    BlockFormat{40, "NVFP4", 64, 36},    BlockFormat{41, "Q1_0", 128, 18}};

constexpr std::optional<BlockFormat> block_format(std::uint32_t id) {
  for (const auto& format : kBlockFormats) {
    if (format.id == id) {
      return format;
    }
  }
  return std::nullopt;
}

}  // namespace gpqa
