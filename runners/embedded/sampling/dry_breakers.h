// Where DRY takes a repetition to begin anew: the tokens and token sequences that hold a breaker's text.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "runners/embedded/sampling/token_pieces.h"

namespace gpqa {

// Made once for a model and a list of breakers (each token's text is searched), then shared by its sequences.
class DryBreakers {
 public:
  DryBreakers() = default;
  // As llama-server does: a breaker ends at its first NUL and after 40 bytes, an empty one is skipped; the
  // tokens after the first of a sequence are those of the text left over, 20 at most.
  DryBreakers(std::span<const std::string> breakers, const TokenPieces& pieces);
  // Of sequences of tokens, each with its first.
  explicit DryBreakers(std::span<const std::vector<int>> sequences);

  // Whether the token alone is a breaker.
  bool single(int token) const;
  // The tokens from the end of `recent` (oldest first) back to the last breaker in it: how far a repetition
  // may reach back. All of them if there is none.
  std::size_t since_last(std::span<const int> recent) const;

 private:
  void add(int head, std::vector<int> tail);

  std::vector<bool> single_;  // [token]
  std::unordered_map<int, std::vector<std::vector<int>>>
      tails_;  // of breakers of several tokens, by their first
};

}  // namespace gpqa
