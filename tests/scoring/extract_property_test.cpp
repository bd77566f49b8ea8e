// Rules of the filters, tried on random answers.
#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "prompts/python_strip.h"
#include "scoring/extract_answer.h"
#include "scoring/python_text.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

using Choices = std::array<std::string, 4>;

class RandomText {
 public:
  explicit RandomText(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }
  std::string text(const std::vector<std::string>& alphabet, std::size_t most) {
    std::string out;
    for (std::size_t n = below(most + 1); n > 0; --n) {
      out += alphabet[below(alphabet.size())];
    }
    return out;
  }

 private:
  std::mt19937 random_;  // the same numbers everywhere, unlike the distributions
};

// Few letters, so that choices contain and repeat one another; what is folded, deleted or stripped; sigmas.
const std::vector<std::string> kChoiceAlphabet = {
    "a", "A", "b", "ab", " ", ".", "(", "\u03A3", "\u03C3", "\u0130", "\u00E9", "+", "\n", "\u2014"};

Choices random_choices(RandomText& random) {
  Choices choices;
  for (auto& choice : choices) {
    choice = random.text(kChoiceAlphabet, 4);
  }
  return choices;
}

std::string folded(std::string_view text) {
  return without_punctuation(python_lower(text));
}

// Step 2 as the rule is told: at each place the alternatives one after another.
std::string told_by_the_rule(std::string_view response, const Choices& choices, FlexVariant variant) {
  std::array<std::string, 4> keys;
  std::transform(choices.begin(), choices.end(), keys.begin(),
                 [](const std::string& choice) { return folded(python_strip(choice)); });
  std::array<std::size_t, 4> order{};
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (variant == FlexVariant::v0_4_13) {
    std::stable_sort(order.begin(), order.end(),
                     [&](auto x, auto y) { return python_len(keys[x]) > python_len(keys[y]); });
  }
  const std::string text = folded(response);
  std::string last;
  for (std::size_t at = 0; at <= text.size();) {
    const auto hit = std::find_if(order.begin(), order.end(), [&](auto i) {
      return std::string_view(text).substr(at).starts_with(keys[i]);
    });
    if (hit == order.end()) {
      ++at;
      continue;
    }
    last = keys[*hit];
    at += std::max<std::size_t>(last.size(), 1);
  }
  const std::string match(python_strip(last));
  for (std::size_t i = keys.size(); i-- > 0;) {
    if (!match.empty() && keys[i] == match) {
      return {'(', static_cast<char>('A' + i), ')'};
    }
  }
  return match.empty() ? std::string(kInvalid) : match;
}

TEST_CASE("the last choice text is the one that trying every place finds, in either choice order") {
  RandomText random(1);
  int found = 0;
  for (int i = 0; i < 20000; ++i) {
    const Choices choices = random_choices(random);
    std::string response;
    for (std::size_t n = random.below(5); n > 0; --n) {
      response += random.below(2) == 0 ? choices[random.below(4)] : random.text(kChoiceAlphabet, 4);
    }
    for (const auto variant : {FlexVariant::v0_4_12, FlexVariant::v0_4_13}) {
      const auto got = extract_flexible(response, choices, variant);
      const auto want = told_by_the_rule(response, choices, variant);
      if (got.answer != want) {
        CAPTURE(i, response, choices[0], choices[1], choices[2], choices[3]);
        CHECK(got.answer == want);
      }
      found += got.rule == FlexRule::choice_text ? 1 : 0;
    }
  }
  CHECK(found > 4000);
}

TEST_CASE("a capital in parentheses at the end decides, whatever stands before it") {
  RandomText random(2);
  const std::vector<std::string> alphabet = {"(",  ")", "A",   "(B)", ":", " ", "The answer is ",
                                             "\n", "x", "\xFF"};
  for (int i = 0; i < 2000; ++i) {
    const std::string response = random.text(alphabet, 12) + "(Q)";
    const auto got = extract_flexible(response, random_choices(random));
    CHECK(got.answer == "(Q)");
    CHECK(got.rule == FlexRule::letter_in_parentheses);
  }
}

TEST_CASE("the choice orders of 0.4.12 and 0.4.13 agree where no choice begins another") {
  RandomText random(3);
  for (int i = 0; i < 5000; ++i) {
    Choices choices = random_choices(random);
    for (std::size_t k = 0; k < choices.size(); ++k) {
      choices[k].insert(0, 1, static_cast<char>('p' + k));
    }
    const std::string response =
        random.text({choices.begin(), choices.end()}, 6) + random.text(kChoiceAlphabet, 3);
    CHECK(extract_flexible(response, choices, FlexVariant::v0_4_12).answer ==
          extract_flexible(response, choices, FlexVariant::v0_4_13).answer);
  }
}

TEST_CASE("strict: only the first line that has the phrase and a character more counts") {
  RandomText random(4);
  const std::vector<std::string> alphabet = {"a",      " ",   "\u00E9", "\r",
                                             "\u2028", "(B)", ".",      "the answer is "};
  for (int i = 0; i < 2000; ++i) {
    const std::string asked = random.text(alphabet, 5) + "\nThe answer is \nThe answer is ";
    const std::string answer = random.text(alphabet, 6);
    const auto response = [&](std::string_view end) { return std::string(asked).append(answer).append(end); };
    CHECK(extract_strict(response("x\nThe answer is (D).")) == python_strip(answer));
    CHECK(extract_strict(response("\u00E9")) == python_strip(answer));
  }
}

}  // namespace
}  // namespace gpqa
