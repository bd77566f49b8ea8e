#include "runners/embedded/sampling/dry.h"

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "runners/embedded/sampling/sampler.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

// What is taken from each of 20 tokens' logits after `text`.
std::vector<float> penalties(const std::vector<int>& text, std::vector<std::vector<int>> breakers = {},
                             std::size_t last_n = 64, float multiplier = 0.5f, float base = 1.75f,
                             int allowed_length = 2) {
  Dry dry(last_n, multiplier, base, allowed_length, std::make_shared<const DryBreakers>(breakers));
  for (const int token : text) dry.accept(token);
  Candidates candidates;
  candidates.assign(std::vector<float>(20, 0));
  dry.apply(candidates);
  std::vector<float> taken;
  for (const auto& candidate : candidates.list()) taken.push_back(-candidate.logit);
  return taken;
}

std::vector<float> only(int token, float taken) {
  std::vector<float> all(20, 0);
  all[static_cast<std::size_t>(token)] = taken;
  return all;
}

TEST_CASE("the longer the repetition that a token goes on with, the more is taken from it") {
  CHECK(penalties({1, 2, 3, 9, 1, 2}) == only(3, 0.5f));                          // m = 2
  CHECK(penalties({1, 2, 3, 4, 9, 1, 2, 3}) == only(4, 0.875f));                  // 3
  CHECK(penalties({1, 2, 3, 4, 5, 6, 9, 1, 2, 3, 4, 5}) == only(6, 2.6796875f));  // 5
  CHECK(penalties({9, 2, 3, 8, 1, 2}) == std::vector<float>(20, 0));              // 1
  CHECK(penalties({5, 5}) == std::vector<float>(20, 0));                          // no more than allowed
}

TEST_CASE("of several repetitions the longest counts, and each token that goes on with one is meant") {
  CHECK(penalties({1, 2, 3, 9, 7, 1, 2, 3, 8, 7, 1, 2}) == only(3, 0.875f));
  auto two = only(3, 0.5f);
  two[4] = 0.5f;
  CHECK(penalties({1, 2, 3, 9, 1, 2, 4, 8, 1, 2}) == two);
}

TEST_CASE("a text of one token many times over is a repetition of itself") {
  const auto taken = penalties(std::vector<int>(10, 7));
  CHECK(taken[7] == static_cast<float>(0.5 * std::pow(1.75, 7)));  // 9 tokens, once shifted
}

TEST_CASE("only the last tokens count, and a repetition ends where they begin") {
  const std::vector<int> text = {1, 2, 3, 9, 1, 2};
  CHECK(penalties(text, {}, 6) == only(3, 0.5f));
  CHECK(penalties(text, {}, 5) == std::vector<float>(20, 0));  // the first 1 is forgotten
}

TEST_CASE("a repetition doesn't reach back over a breaker, and a breaker isn't punished") {
  const std::vector<int> text = {1, 2, 3, 4, 9, 1, 2, 3};
  CHECK(penalties(text, {{1}}) == only(4, 0.5f));  // 2 3 are left
  CHECK(penalties(text, {{2}}) == std::vector<float>(20, 0));
  CHECK(penalties(text, {{3}}) == std::vector<float>(20, 0));
  CHECK(penalties(text, {{4}}) == std::vector<float>(20, 0));
  CHECK(penalties(text, {{9}}) == only(4, 0.875f));  // the earlier one may lie before a breaker
}

TEST_CASE("a breaker of several tokens counts once all of it is there, the longest if more are") {
  const std::vector<int> text = {1, 2, 3, 4, 9, 1, 2, 3};
  CHECK(penalties(text, {{1, 2}}) == std::vector<float>(20, 0));  // only 3 is left
  CHECK(penalties(text, {{3, 5}}) == only(4, 0.875f));            // not there
  CHECK(penalties(text, {{9, 1}, {9}}) == only(4, 0.5f));
  CHECK(penalties(text, {{3, 4}}) == only(4, 0.875f));  // its first token alone is none
}

TEST_CASE("the power is bounded before it leaves a float's range") {
  const auto taken = penalties(std::vector<int>(400, 7), {}, 400);
  CHECK(taken[7] == static_cast<float>(0.5 * std::pow(1.75, 158)));
  CHECK(std::isfinite(taken[7]));
  CHECK(penalties(std::vector<int>(400, 7), {}, 400, 0.5f, 1.0f)[7] == 0.5f);
}

TEST_CASE("breakers are found in the tokens' texts") {
  const std::vector<std::string> texts = {"a", "x\n", "\n\n", "say <", "/", "s>", "</s>", "<", "</", ":", ""};
  const TokenPieces pieces{.count = static_cast<int>(texts.size()),
                           .text = [&](int id) { return texts[static_cast<std::size_t>(id)]; },
                           .tokenize =
                               [](std::string_view text) {
                                 return text == "/s>" ? std::vector<int>{4, 5} : std::vector<int>{5};
                               }};
  const std::vector<std::string> list = {"\n", "</s>", "", std::string(":\0z", 3)};
  const DryBreakers breakers(list, pieces);
  for (const int id : {1, 2, 6, 9}) CHECK(breakers.single(id));
  for (const int id : {0, 3, 4, 5, 7, 8, 10, -1, 1000}) CHECK_FALSE(breakers.single(id));

  CHECK(breakers.since_last(std::vector<int>{0, 0, 0}) == 3);
  CHECK(breakers.since_last(std::vector<int>{0, 2, 0}) == 1);
  CHECK(breakers.since_last(std::vector<int>{3, 4, 5, 0}) == 1);  // "say <" "/" "s>"
  CHECK(breakers.since_last(std::vector<int>{8, 5, 0, 0}) == 2);  // "</" "s>"
  CHECK(breakers.since_last(std::vector<int>{7, 4, 0}) == 3);     // not all of it
  CHECK(breakers.since_last(std::vector<int>{}) == 0);
}

TEST_CASE("a breaker's text ends after 40 bytes, and its tokens after 21") {
  const std::string longest(50, 'q');
  const std::vector<std::string> texts = {std::string(40, 'q'), std::string(39, 'q'), "xq"};
  const TokenPieces pieces{
      .count = 3,
      .text = [&](int id) { return texts[static_cast<std::size_t>(id)]; },
      .tokenize = [](std::string_view text) { return std::vector<int>(text.size(), 5); }};
  const DryBreakers breakers(std::vector<std::string>{longest}, pieces);
  CHECK(breakers.single(0));
  CHECK_FALSE(breakers.single(1));
  std::vector<int> text(21, 5);
  text[0] = 2;  // "xq", then 20 of the 39 tokens left over
  CHECK(breakers.since_last(text) == 0);
}

TEST_CASE("the prompt counts as what was said") {
  SamplerSettings settings;
  settings.temperature = 0;
  settings.dry_multiplier = 5;
  std::vector<float> logits(20, 0);
  logits[3] = 2;
  logits[4] = 1;
  const auto breakers = std::make_shared<const DryBreakers>();
  Sampler with(settings, 1, breakers);
  with.accept_prompt(std::vector<int>{1, 2, 3, 9, 1, 2});
  CHECK(with.sample(logits) == 4);
  Sampler without(settings, 1, breakers);
  CHECK(without.sample(logits) == 3);
}

}  // namespace
}  // namespace gpqa
