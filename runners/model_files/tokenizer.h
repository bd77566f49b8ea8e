// Text to token ids and back, as llama.cpp does it for Gemma 4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runners/model_files/merge_table.h"
#include "runners/model_files/vocabulary.h"

namespace gpqa {

struct EncodeOptions {
  bool add_bos = false;
  // Whether a text that spells a control token (`<turn|>`) becomes that token, as llama-server has it for
  // chat prompts. User-defined tokens (`<|channel>`) are found in any case.
  bool parse_special = true;
};

// Made once, then used from any number of threads.
class Tokenizer {
 public:
  explicit Tokenizer(Vocabulary vocabulary);

  // What is no UTF-8 becomes the tokens of its bytes. (llama.cpp has U+FFFD for each such byte, and so loses
  // it; none reaches it in JSON.) Throws InputError for a text of 4 GiB and more.
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;

  // The bytes of all pieces: the text again, with a space for each U+2581. Without `special`, control tokens
  // and the unknown one are left out. Throws InputError for an id that is none.
  std::string decode(std::span<const TokenId> ids, bool special = true) const;

  // The bytes that a token stands for: spaces for U+2581, a byte token's byte, a special token's spelling.
  std::string_view piece(TokenId id) const;

  bool is_special(TokenId id) const;  // control or unknown: what a reader isn't shown
  bool is_end_of_generation(TokenId id) const;
  std::size_t size() const { return vocabulary_.size(); }
  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  struct Fragment;
  class TextEncoder;
  void add_pieces();
  void find_characters();
  void find_specials();
  void cut(std::vector<Fragment>& fragments, TokenId special) const;
  std::size_t checked(TokenId id) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  TokenTexts pieces_;
  std::vector<TokenId> characters_;              // [code point]
  std::map<std::size_t, TokenId> newline_runs_;  // by length
  std::vector<TokenId> specials_;  // what is looked for in a text before anything else, longest first
};

}  // namespace gpqa
