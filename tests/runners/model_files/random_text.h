// Texts of all kinds, for comparing tokenizers.
#pragma once

#include <random>
#include <string>
#include <string_view>

#include "runners/model_files/tokenizer.h"

namespace gpqa {

class RandomText {
 public:
  RandomText(const Tokenizer& tokenizer, unsigned seed) : tokenizer_(tokenizer), random_(seed) {}

  // Pieces of tokens (special ones among them), words, characters of any script, runs of one character.
  std::string text() {
    std::string out;
    for (auto parts = below(12); parts > 0; --parts) {
      switch (below(8)) {
        case 0:
          out += character();
          break;
        case 1:
          out += std::string(below(40), "\n a0<\u2581"[below(5)]);
          break;
        case 2:
          out += tokenizer_.piece(special());
          break;
        case 3:
          out += kWords[below(std::size(kWords))];
          break;
        case 4:  // in its own spelling: U+2581, <0x41>
          out += tokenizer_.vocabulary().texts[below(tokenizer_.size())];
          break;
        default:
          out += valid_piece();
      }
    }
    return out;
  }

  std::string bytes() {
    std::string out(below(40), '\0');
    for (auto& byte : out) byte = static_cast<char>(below(256));
    return out;
  }

 private:
  std::size_t below(std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random_);
  }

  std::string character() {
    static constexpr std::pair<char32_t, char32_t> kBlocks[] = {
        {0, 0x7f}, {0x80, 0x7ff}, {0x800, 0xd7ff}, {0xe000, 0xffff}, {0x10000, 0x10ffff}, {0x1f300, 0x1faff}};
    const auto [first, last] = kBlocks[below(std::size(kBlocks))];
    return utf8(first + static_cast<char32_t>(below(last - first + 1)));
  }

  static std::string utf8(char32_t code) {
    const auto tail = [&](unsigned shift) { return static_cast<char>(0x80 | (code >> shift & 0x3f)); };
    if (code < 0x80) return {static_cast<char>(code)};
    if (code < 0x800) return {static_cast<char>(0xc0 | code >> 6), tail(0)};
    if (code < 0x10000) return {static_cast<char>(0xe0 | code >> 12), tail(6), tail(0)};
    return {static_cast<char>(0xf0 | code >> 18), tail(12), tail(6), tail(0)};
  }

  TokenId special() {
    static constexpr TokenId kSpecial[] = {0, 1, 2, 3, 4, 46, 47, 48, 49, 50, 51, 52, 98, 100, 101, 105, 106};
    return kSpecial[below(std::size(kSpecial))];
  }

  // Not a lone byte of 0x80 and more.
  std::string_view valid_piece() {
    for (;;) {
      const auto id = static_cast<TokenId>(below(tokenizer_.size()));
      if (id < 366 || id > 493) return tokenizer_.piece(id);
    }
  }

  static constexpr std::string_view kWords[] = {
      " the",    "Hello",           " world", "\n\n",  " ...",   "=>",      "0x1F",
      "3.14159", " photosynthesis", "\t",     " <",    "<|turn", "channel", ">",
      "</s>",    "<0x41>",          "\r\n",   "don't", " I'm",   "naïve",   " Ångström"};

  const Tokenizer& tokenizer_;
  std::mt19937 random_;
};

}  // namespace gpqa
