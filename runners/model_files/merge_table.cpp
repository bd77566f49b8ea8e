#include "runners/model_files/merge_table.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace gpqa {
namespace {

constexpr std::string_view kSpace = "\u2581";
constexpr std::uint32_t kEnd = 0xffffffff;
// No pair of tokens: ids are below 2^31.
constexpr std::uint64_t kFree = ~std::uint64_t{0};

std::uint64_t pair_of(TokenId left, TokenId right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

// Fibonacci hashing: the high bits are the mixed ones.
std::size_t slot_of(std::uint64_t pair, unsigned shift) {
  constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
  const auto mixed = (pair ^ (pair >> 32)) * kGolden;
  return static_cast<std::size_t>(mixed >> shift);
}

}  // namespace

std::uint8_t first_byte(std::string_view text) {
  return static_cast<std::uint8_t>(text.starts_with(kSpace) ? ' ' : text.front());
}

std::uint8_t last_byte(std::string_view text) {
  return static_cast<std::uint8_t>(text.ends_with(kSpace) ? ' ' : text.back());
}

MergeTable::MergeTable(const Vocabulary& vocabulary) {
  const auto size = std::bit_ceil(vocabulary.merges.size() * 2 + 2);
  slots_.resize(size, Slot{kFree, {}});
  shift_ = 64 - static_cast<unsigned>(std::countr_zero(size));
  for (std::uint32_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    const auto& merge = vocabulary.merges[rank];
    const auto pair = pair_of(merge.left, merge.right);
    auto at = slot_of(pair, shift_);
    while (slots_[at].pair != kFree && slots_[at].pair != pair) {
      at = (at + 1) & (size - 1);
    }
    if (slots_[at].pair == kFree) {
      slots_[at] = {pair, {rank, merge.merged}};
    }
    const auto left = last_byte(vocabulary.texts[static_cast<std::size_t>(merge.left)]);
    joins_[left].set(first_byte(vocabulary.texts[static_cast<std::size_t>(merge.right)]));
  }
}

MergeTable::Found MergeTable::find(TokenId left, TokenId right) const {
  const auto pair = pair_of(left, right);
  auto at = slot_of(pair, shift_);
  while (slots_[at].pair != kFree) {
    if (slots_[at].pair == pair) {
      return slots_[at].found;
    }
    at = (at + 1) & (slots_.size() - 1);
  }
  return {};
}

void Merger::link(std::span<const TokenId> tokens) {
  symbols_.clear();
  for (std::uint32_t i = 0; i < tokens.size(); ++i) {
    symbols_.push_back({tokens[i], i - 1, i + 1, {}});
  }
  symbols_.front().previous = kEnd;
  symbols_.back().next = kEnd;
}

// Whether the symbol merges with the next one.
bool Merger::look_up(std::uint32_t at) {
  auto& symbol = symbols_[at];
  symbol.with_next =
      symbol.next == kEnd ? MergeTable::Found{} : table_.find(symbol.id, symbols_[symbol.next].id);
  return symbol.with_next.rank != MergeTable::kNoRank;
}

void Merger::push(std::uint32_t at) {
  queue_.push_back(std::uint64_t{symbols_[at].with_next.rank} << 32 | at);
}

void Merger::merge(std::span<const TokenId> tokens, std::vector<TokenId>& out) {
  if (tokens.empty()) {
    return;
  }
  link(tokens);
  queue_.clear();
  for (std::uint32_t i = 0; i < symbols_.size(); ++i) {
    if (look_up(i)) push(i);
  }
  std::make_heap(queue_.begin(), queue_.end(), std::greater<>());
  while (!queue_.empty()) {
    std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
    const auto best = queue_.back();
    queue_.pop_back();
    const auto at = static_cast<std::uint32_t>(best);
    auto& left = symbols_[at];
    if (left.with_next.rank != best >> 32) {
      continue;  // one of the two has been merged since; a pair never comes back, since tokens only grow
    }
    auto& right = symbols_[left.next];
    left.id = left.with_next.merged;
    left.next = right.next;
    right.with_next = {};  // gone
    if (left.next != kEnd) {
      symbols_[left.next].previous = at;
    }
    for (const auto changed : {left.previous, at}) {
      if (changed != kEnd && look_up(changed)) {
        push(changed);
        std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
      }
    }
  }
  for (std::uint32_t i = 0; i != kEnd; i = symbols_[i].next) {
    out.push_back(symbols_[i].id);
  }
}

}  // namespace gpqa
