// The last N tokens of a sequence, in one piece.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace gpqa {

// Takes no more memory than twice what it holds: N may be any number.
class RecentTokens {
 public:
  explicit RecentTokens(std::size_t n) : n_(n) {}

  void push(int token) {
    if (n_ == 0) return;
    if (begin_ >= n_) {  // as many are forgotten as are kept: moving costs one copy a token
      tokens_.erase(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(begin_));
      begin_ = 0;
    }
    tokens_.push_back(token);
    if (tokens_.size() - begin_ > n_) ++begin_;
  }
  std::span<const int> view() const { return std::span(tokens_).subspan(begin_); }  // oldest first
  bool full() const { return tokens_.size() - begin_ == n_; }

 private:
  std::size_t n_;
  std::vector<int> tokens_;
  std::size_t begin_ = 0;  // those before it are forgotten
};

}  // namespace gpqa
