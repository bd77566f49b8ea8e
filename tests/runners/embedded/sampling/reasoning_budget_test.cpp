#include "runners/embedded/sampling/reasoning_budget.h"

#include <string>
#include <vector>

#include "tests/catch.h"

namespace gpqa {
namespace {

using State = ReasoningBudget::State;

// Gemma 4's: <|channel> thought ... <channel|>. Token 7 ends amid a character.
ReasoningTags gemma_tags(std::vector<int> message = {}) {
  message.push_back(101);
  return {.start = {100, 45518},
          .ends = {{101}},
          .forced = message,
          .generation_prompt = {105, 4368, 107},
          .whole_characters = [](int token) { return token != 7; }};
}

State state_after(ReasoningBudget& budget, const std::vector<int>& tokens) {
  for (const int token : tokens) budget.accept(token);
  return budget.state();
}

TEST_CASE("exactly as many tokens as the budget come between the start and the forced end") {
  for (const int tokens : {1, 2, 16, 1000}) {
    ReasoningBudget budget(gemma_tags(), tokens);
    CHECK(state_after(budget, {100, 45518}) == State::counting);
    for (int i = 0; i < tokens; ++i) {
      CHECK_FALSE(budget.forced());
      budget.accept(5);
    }
    CHECK(budget.state() == State::forcing);
    CHECK(budget.forced() == 101);
    budget.accept(101);
    CHECK(budget.state() == State::done);
    CHECK_FALSE(budget.forced());
  }
}

TEST_CASE("a budget of 0 ends the reasoning where it begins") {
  ReasoningBudget budget(gemma_tags(), 0);
  CHECK(state_after(budget, {100}) == State::idle);
  CHECK(state_after(budget, {45518}) == State::forcing);
  CHECK(budget.forced() == 101);
}

TEST_CASE("only the whole start in a row begins a count") {
  ReasoningBudget budget(gemma_tags(), 2);
  CHECK(state_after(budget, {45518, 100, 1, 45518, 100, 100}) == State::idle);
  CHECK(state_after(budget, {45518}) == State::counting);
}

TEST_CASE("the model's own end is the end, also with its last token") {
  ReasoningBudget budget(gemma_tags(), 3);
  CHECK(state_after(budget, {100, 45518, 1, 2, 101}) == State::done);
}

TEST_CASE("the message comes before the end, token by token") {
  ReasoningBudget budget(gemma_tags({20, 21}), 1);
  state_after(budget, {100, 45518, 1});
  for (const int token : {20, 21, 101}) {
    CHECK(budget.forced() == token);
    budget.accept(token);
  }
  CHECK(budget.state() == State::done);
}

TEST_CASE("a character begun is finished before the end is forced") {
  ReasoningBudget budget(gemma_tags(), 2);
  CHECK(state_after(budget, {100, 45518, 1, 7}) == State::waiting_utf8);
  CHECK_FALSE(budget.forced());
  CHECK(state_after(budget, {7}) == State::waiting_utf8);
  CHECK(state_after(budget, {1}) == State::forcing);

  ReasoningBudget ended(gemma_tags(), 1);
  CHECK(state_after(ended, {100, 45518, 7, 101}) == State::done);
}

TEST_CASE("a new start has a full budget of its own") {
  ReasoningBudget budget(gemma_tags(), 2);
  state_after(budget, {100, 45518, 1, 2, 101});
  CHECK(budget.state() == State::done);
  CHECK(state_after(budget, {3, 3, 3, 100, 45518}) == State::counting);
  CHECK(state_after(budget, {1}) == State::counting);
  CHECK(state_after(budget, {1}) == State::forcing);
}

TEST_CASE("what a forced message spells begins nothing") {
  ReasoningBudget budget(gemma_tags({100, 45518}), 1);
  CHECK(state_after(budget, {100, 45518, 1, 100, 45518, 101}) == State::done);
}

TEST_CASE("the generation prompt may have begun the reasoning") {
  auto tags = gemma_tags();
  tags.generation_prompt = {105, 100, 45518, 107};
  ReasoningBudget budget(tags, 3);
  CHECK(budget.state() == State::counting);
  CHECK(state_after(budget, {1, 1}) == State::forcing);  // its newline was the first
}

TEST_CASE("any of several ends is one, overlapping as they may be") {
  auto tags = gemma_tags();
  tags.ends = {{1, 1, 2}, {}, {3, 1}};
  ReasoningBudget budget(tags, 100);
  CHECK(state_after(budget, {100, 45518, 1, 1, 1}) == State::counting);
  CHECK(state_after(budget, {2}) == State::done);
  CHECK(state_after(budget, {100, 45518, 1, 3, 1}) == State::done);
}

TEST_CASE("an end begun before the budget was spent doesn't count while a character is finished") {
  auto tags = gemma_tags();
  tags.ends = {{7, 8}};
  ReasoningBudget budget(tags, 1);
  CHECK(state_after(budget, {100, 45518, 7}) == State::waiting_utf8);
  CHECK(state_after(budget, {8}) == State::forcing);
}

TEST_CASE("nothing to force is forced in no time") {
  auto tags = gemma_tags();
  tags.forced = {};
  ReasoningBudget budget(tags, 1);
  CHECK(state_after(budget, {100, 45518, 1}) == State::forcing);
  CHECK_FALSE(budget.forced());
  CHECK(state_after(budget, {1}) == State::done);
}

TEST_CASE("texts end with a character or amid one") {
  for (const char* whole : {"", "a", "\n", "\u00E9", "\u20AC", "\U0001F600", "a\u20AC", "\x80\x80z"}) {
    CHECK(ends_character(whole));
  }
  for (const char* cut :
       {"\xC3", "a\xE2\x82", "\xF0\x9F\x98", "\x82", "\x80\x80\x80\x80\x80", "\u20AC\xE2"}) {
    CHECK_FALSE(ends_character(cut));
  }
}

}  // namespace
}  // namespace gpqa
