// Puts a vocabulary together from what a file says, checking it: first all tokens, then merges and ids.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runners/model_files/vocabulary.h"

namespace gpqa {

// `place` is where in the file something stands, for messages.
class VocabularyBuilder {
 public:
  // `texts`: of all tokens that will come; `path` is for messages.
  VocabularyBuilder(std::string path, std::span<const std::string_view> texts);

  void add_token(std::string_view text, TokenType type);
  void add_merge(std::string_view left, std::string_view right, std::size_t rank);
  TokenId checked_id(std::uint64_t id, std::string_view place) const;
  TokenId id_of(std::string_view text, std::string_view place) const;
  SpecialIds& ids() { return out_.ids; }

  // Finds the tokens of bytes and those that end an answer.
  Vocabulary finish();

 private:
  [[noreturn]] void fail(std::string_view place, const std::string& message) const;
  std::size_t slot_of(std::string_view text) const;
  TokenId find(std::string_view text) const;  // -1: none
  void find_bytes();
  void find_ends();

  std::string path_;
  Vocabulary out_;
  std::vector<std::uint64_t> slots_;  // hash and id + 1 of a token; 0 where none is
  std::string joined_;
};

}  // namespace gpqa
