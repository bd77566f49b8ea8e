// What sampling asks of a tokenizer, so that none is linked here.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace gpqa {

struct TokenPieces {
  int count = 0;                                               // tokens of the vocabulary
  std::function<std::string(int)> text;                        // special tokens printed, byte tokens decoded
  std::function<std::vector<int>(std::string_view)> tokenize;  // without BOS; special tokens' names are text
};

}  // namespace gpqa
