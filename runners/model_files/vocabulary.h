// A Gemma 4 vocabulary: tokens, merges and the ids that mean something, from a GGUF file or a Hugging Face
// folder, every id and count checked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runners/model_files/gguf_file.h"

namespace gpqa {

using TokenId = std::int32_t;

// Ids as GGUF has them.
enum class TokenType : std::uint8_t { normal = 1, unknown, control, user_defined, unused, byte };

// Many short texts in one block of memory.
class TokenTexts {
 public:
  void reserve(std::size_t count, std::size_t bytes) {
    ends_.reserve(count);
    bytes_.reserve(bytes);
  }
  void push_back(std::string_view text) {
    bytes_ += text;
    ends_.push_back(bytes_.size());
  }
  std::size_t size() const { return ends_.size(); }
  std::size_t bytes() const { return bytes_.size(); }
  std::string_view operator[](std::size_t index) const {
    const auto start = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(bytes_).substr(start, ends_[index] - start);
  }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
};

// Two tokens and the one that is both: its text is theirs put together.
struct Merge {
  TokenId left;
  TokenId right;
  TokenId merged;
};

struct SpecialIds {
  TokenId bos = 0;  // before every prompt: llama.cpp adds it to Gemma 4's even where a file says not to
  std::optional<TokenId> eos;
  std::optional<TokenId> unknown;
  std::optional<TokenId> padding;
  // What ends an answer, ascending. llama.cpp goes by how tokens are spelled: what a GGUF doesn't say.
  std::vector<TokenId> end_of_generation;
  // Never sampled (GGUF `tokenizer.ggml.suppress_tokens`); llama-server shows them nowhere.
  std::vector<TokenId> suppressed;
};

struct Vocabulary {
  TokenTexts texts;              // [tokens], U+2581 for a space
  std::vector<TokenType> types;  // [tokens]; a token whose spelling ends an answer counts as control
  std::vector<Merge> merges;     // by rank; of equal pairs the first counts
  std::array<TokenId, 256> byte_tokens{};
  SpecialIds ids;

  std::size_t size() const { return types.size(); }
};

// Throws FormatError: no gemma4 tokenizer; a merge that names no token; a token that is empty, twice there,
// or a byte without one; an id out of range.
Vocabulary read_vocabulary(const GgufFile& file);

// tokenizer.json, tokenizer_config.json and (where it is) generation_config.json of a checkpoint's folder.
// Token types are those that llama.cpp's converter gives.
Vocabulary read_hf_vocabulary(const std::filesystem::path& folder);

// Of a GGUF file, or of a folder.
Vocabulary read_model_vocabulary(const std::filesystem::path& model);

}  // namespace gpqa
