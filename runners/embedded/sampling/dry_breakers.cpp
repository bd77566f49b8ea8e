#include "runners/embedded/sampling/dry_breakers.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace gpqa {
namespace {

constexpr std::size_t kMaxBytes = 40;
constexpr std::size_t kMaxTail = 20;

// Calls visit(n) wherever the end of `text` is the first n bytes of `breaker`, 0 < n < its length.
template <class Visit>
void each_overlap(std::string_view text, std::string_view breaker, Visit visit) {
  for (std::size_t n = std::min(text.size(), breaker.size() - 1); n > 0; --n) {
    if (text.ends_with(breaker.substr(0, n))) visit(n);
  }
}

}  // namespace

DryBreakers::DryBreakers(std::span<const std::string> breakers, const TokenPieces& pieces) {
  std::vector<std::string_view> texts;
  for (const auto& breaker : breakers) {
    const auto text = std::string_view(breaker.c_str()).substr(0, kMaxBytes);
    if (!text.empty()) texts.push_back(text);
  }
  for (int id = 0; id < pieces.count; ++id) {
    const std::string piece = pieces.text(id);
    for (const auto text : texts) {
      if (piece.find(text) != std::string::npos) {
        add(id, {});
        continue;
      }
      each_overlap(piece, text, [&](std::size_t n) {
        auto tail = pieces.tokenize(text.substr(n));
        tail.resize(std::min(tail.size(), kMaxTail));
        add(id, std::move(tail));
      });
    }
  }
}

DryBreakers::DryBreakers(std::span<const std::vector<int>> sequences) {
  for (const auto& sequence : sequences) {
    if (!sequence.empty()) add(sequence[0], {sequence.begin() + 1, sequence.end()});
  }
}

void DryBreakers::add(int head, std::vector<int> tail) {
  if (!tail.empty()) {
    tails_[head].push_back(std::move(tail));
    return;
  }
  if (single_.size() <= static_cast<std::size_t>(head)) {
    single_.resize(static_cast<std::size_t>(head) + 1);
  }
  single_[static_cast<std::size_t>(head)] = true;
}

bool DryBreakers::single(int token) const {
  return token >= 0 && static_cast<std::size_t>(token) < single_.size() &&
         single_[static_cast<std::size_t>(token)];
}

std::size_t DryBreakers::since_last(std::span<const int> recent) const {
  for (std::size_t i = 0; i < recent.size(); ++i) {  // i tokens follow the head
    const std::size_t place = recent.size() - 1 - i;
    const auto after = recent.subspan(place + 1);
    bool found = single(recent[place]);
    std::size_t longest = 0;
    if (const auto it = tails_.find(recent[place]); it != tails_.end()) {
      for (const auto& tail : it->second) {
        if (tail.size() > longest && tail.size() <= after.size() &&
            std::equal(tail.begin(), tail.end(), after.begin())) {
          longest = tail.size();
          found = true;
        }
      }
    }
    if (found) return i - longest;
  }
  return recent.size();
}

}  // namespace gpqa
