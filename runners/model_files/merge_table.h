// Byte pair encoding: which neighbouring tokens become one, and in what order.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "runners/model_files/vocabulary.h"

namespace gpqa {

class MergeTable {
 public:
  explicit MergeTable(const Vocabulary& vocabulary);

  struct Found {
    std::uint32_t rank = kNoRank;
    TokenId merged = 0;
  };
  static constexpr std::uint32_t kNoRank = 0xffffffff;
  Found find(TokenId left, TokenId right) const;

  // Whether any merge joins a token that ends in `left` with one that begins with `right`: where none does, a
  // text can be cut without changing its tokens. Bytes as last_byte() and first_byte() give them.
  bool joins(std::uint8_t left, std::uint8_t right) const { return joins_[left][right]; }

 private:
  struct Slot {
    std::uint64_t pair = 0;
    Found found;
  };
  std::vector<Slot> slots_;
  unsigned shift_ = 0;
  std::array<std::bitset<256>, 256> joins_;
};

// Of a text that isn't empty. A leading or trailing U+2581 counts as the space that it stands for: it shares
// its bytes with other characters, and words begin with it.
std::uint8_t first_byte(std::string_view text);
std::uint8_t last_byte(std::string_view text);

// Merges a stretch of tokens as far as it goes: the lowest rank first, the leftmost of equal ones.
// O(n log n), and no memory of its own once it has grown.
class Merger {
 public:
  explicit Merger(const MergeTable& table) : table_(table) {}
  void merge(std::span<const TokenId> tokens, std::vector<TokenId>& out);

 private:
  struct Symbol {
    TokenId id;
    std::uint32_t previous;
    std::uint32_t next;
    MergeTable::Found with_next;
  };
  void link(std::span<const TokenId> tokens);
  bool look_up(std::uint32_t at);
  void push(std::uint32_t at);

  const MergeTable& table_;
  std::vector<Symbol> symbols_;
  std::vector<std::uint64_t> queue_;  // a heap of rank and place
};

}  // namespace gpqa
