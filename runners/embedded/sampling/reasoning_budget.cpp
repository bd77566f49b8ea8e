#include "runners/embedded/sampling/reasoning_budget.h"

#include <algorithm>
#include <utility>

namespace gpqa {

bool ends_character(std::string_view text) {
  if (text.empty()) return true;
  for (std::size_t length = 1; length <= std::min<std::size_t>(4, text.size()); ++length) {
    const auto byte = static_cast<unsigned char>(text[text.size() - length]);
    if ((byte & 0xC0) != 0x80) {  // the character's first
      const std::size_t expected = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
      return length >= expected;
    }
  }
  return false;
}

ReasoningBudget::Matcher::Matcher(std::vector<std::vector<int>> sequences)
    : sequences_(std::move(sequences)) {
  std::erase_if(sequences_, [](const auto& sequence) { return sequence.empty(); });
  for (const auto& sequence : sequences_) {
    longest_ = std::max(longest_, sequence.size());
  }
}

bool ReasoningBudget::Matcher::accept(int token) {
  seen_.push_back(token);
  if (seen_.size() > longest_) seen_.erase(seen_.begin());
  const bool hit = std::any_of(sequences_.begin(), sequences_.end(), [this](const auto& sequence) {
    return sequence.size() <= seen_.size() && std::equal(sequence.rbegin(), sequence.rend(), seen_.rbegin());
  });
  if (hit) forget();
  return hit;
}

ReasoningBudget::ReasoningBudget(ReasoningTags tags, std::int64_t tokens)
    : start_({std::move(tags.start)}),
      end_(std::move(tags.ends)),
      forced_(std::move(tags.forced)),
      whole_characters_(std::move(tags.whole_characters)),
      budget_(tokens),
      remaining_(tokens) {
  for (const int token : tags.generation_prompt) {
    accept(token);
  }
}

void ReasoningBudget::begin() {
  remaining_ = budget_;
  end_.forget();
  state_ = State::counting;
  if (remaining_ <= 0) force();
}

void ReasoningBudget::force() {
  state_ = State::forcing;
  next_forced_ = 0;
}

void ReasoningBudget::accept(int token) {
  switch (state_) {
    case State::idle:
    case State::done:
      if (start_.accept(token)) begin();
      break;
    case State::counting:
    case State::waiting_utf8: {
      if (end_.accept(token)) {
        state_ = State::done;
        break;
      }
      const bool spent = state_ == State::waiting_utf8 || --remaining_ <= 0;
      if (!spent) break;
      const bool whole = !whole_characters_ || whole_characters_(token);
      if (whole) {
        force();
      } else if (state_ == State::counting) {
        end_.forget();  // an end begun before the budget was spent doesn't count
        state_ = State::waiting_utf8;
      }
      break;
    }
    case State::forcing:
      if (++next_forced_ >= forced_.size()) state_ = State::done;
      break;
  }
}

std::optional<int> ReasoningBudget::forced() const {
  if (state_ != State::forcing || next_forced_ >= forced_.size()) return std::nullopt;
  return forced_[next_forced_];
}

}  // namespace gpqa
