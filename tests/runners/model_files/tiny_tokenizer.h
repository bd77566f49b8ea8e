// The tokenizer of the tiny Gemma 4, and that of the real one where the environment says where it is.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "runners/model_files/tokenizer.h"
#include "tests/catch.h"

namespace gpqa {

inline const std::string kTinyGguf = GPQA_TEST_DATA "/gemma4/tiny-q4_k_m.gguf";
inline const std::string kTinyFolder = GPQA_TEST_DATA "/gemma4/tiny-hf";

inline const Tokenizer& tiny_tokenizer() {
  static const Tokenizer tokenizer(read_model_vocabulary(kTinyGguf));
  return tokenizer;
}

// nullptr, and a word of it, without GPQA_GEMMA4_VOCAB: a GGUF with the 262,144 tokens of Gemma 4 is 16 MB.
inline const Tokenizer* real_tokenizer() {
  const char* path = std::getenv("GPQA_GEMMA4_VOCAB");
  if (path == nullptr) {
    WARN("SKIPPED: GPQA_GEMMA4_VOCAB names no GGUF with Gemma 4's vocabulary");
    return nullptr;
  }
  static const Tokenizer tokenizer(read_model_vocabulary(path));
  return &tokenizer;
}

}  // namespace gpqa
