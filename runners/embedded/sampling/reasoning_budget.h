// A bound on how long a model may think: its reasoning is ended for it when the tokens are spent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace gpqa {

// How a model's template marks reasoning, in tokens.
struct ReasoningTags {
  std::vector<int> start;              // Gemma 4: 100, 45518
  std::vector<std::vector<int>> ends;  // any of them; Gemma 4: 101
  std::vector<int> forced;             // what is put in when the budget is spent: the message, then an end
  std::vector<int> generation_prompt;  // the prompt's last tokens, where reasoning may begin already
  std::function<bool(int)> whole_characters;  // of a token: its text ends where a character does; none: all
};

// Whether UTF-8 text ends where a character does: what `whole_characters` says of a token's text.
bool ends_character(std::string_view text);

// Follows the tokens of one answer.
class ReasoningBudget {
 public:
  // waiting_utf8: spent, but amid a character. done: until the start comes again, with a full budget of its
  // own.
  enum class State { idle, counting, waiting_utf8, forcing, done };

  // `tokens`: as many as may follow the start.
  ReasoningBudget(ReasoningTags tags, std::int64_t tokens);

  void accept(int token);
  std::optional<int> forced() const;  // the one token that may come next, if it is forced
  State state() const { return state_; }

 private:
  // Finds any of some token sequences in what it is fed; a hit makes it forget what came before.
  class Matcher {
   public:
    explicit Matcher(std::vector<std::vector<int>> sequences);
    bool accept(int token);
    void forget() { seen_.clear(); }

   private:
    std::vector<std::vector<int>> sequences_;
    std::size_t longest_ = 0;
    std::vector<int> seen_;
  };

  void begin();
  void force();

  Matcher start_;
  Matcher end_;
  std::vector<int> forced_;
  std::function<bool(int)> whole_characters_;
  std::int64_t budget_;
  std::int64_t remaining_;
  std::size_t next_forced_ = 0;
  State state_ = State::idle;
};

}  // namespace gpqa
