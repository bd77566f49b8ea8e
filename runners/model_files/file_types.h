// The mixes of tensor types that a GGUF says it holds (`general.file_type`), by llama.cpp's labels.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace gpqa {

struct FileType {
  std::uint32_t id;
  std::string_view label;  // what llama-server's `ftype` begins with; bits a weight may follow
};

inline constexpr std::array kFileTypes = {FileType{0, "all F32"},        FileType{1, "F16"},
                                          FileType{2, "Q4_0"},           FileType{3, "Q4_1"},
                                          FileType{7, "Q8_0"},           FileType{8, "Q5_0"},
                                          FileType{9, "Q5_1"},           FileType{10, "Q2_K - Medium"},
                                          FileType{11, "Q3_K - Small"},  FileType{12, "Q3_K - Medium"},
                                          FileType{13, "Q3_K - Large"},  FileType{14, "Q4_K - Small"},
                                          FileType{15, "Q4_K - Medium"}, FileType{16, "Q5_K - Small"},
                                          FileType{17, "Q5_K - Medium"}, FileType{18, "Q6_K"},
                                          FileType{19, "IQ2_XXS"},       FileType{20, "IQ2_XS"},
                                          FileType{21, "Q2_K - Small"},  FileType{22, "IQ3_XS"},
                                          FileType{23, "IQ3_XXS"},       FileType{24, "IQ1_S"},
                                          FileType{25, "IQ4_NL"},        FileType{26, "IQ3_S"},
                                          FileType{27, "IQ3_S mix"},     FileType{28, "IQ2_S"},
                                          FileType{29, "IQ2_M"},         FileType{30, "IQ4_XS"},
                                          FileType{31, "IQ1_M"},         FileType{32, "BF16"},
                                          FileType{36, "TQ1_0"},         FileType{37, "TQ2_0"},
                                          FileType{38, "MXFP4 MoE"}};

// "" for an id that isn't known here.
constexpr std::string_view file_type_label(std::uint64_t id) {
  for (const auto& type : kFileTypes) {
    if (type.id == id) {
      return type.label;
    }
  }
  return "";
}

}  // namespace gpqa
