#include "scoring/extract_answer.h"

#include <string>

#include "scoring/score.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

using Choices = std::array<std::string, 4>;
const Choices kLetters = {"alpha", "beta", "gamma", "delta"};

std::string flexible(std::string_view text, const Choices& choices = kLetters) {
  return extract_flexible(text, choices).answer;
}

TEST_CASE("strict: what follows the phrase on its line, less the last code point") {
  CHECK(extract_strict("The answer is (B).") == "(B)");
  CHECK(extract_strict("The answer is (B)") == "(B");
  CHECK(extract_strict("The answer is B").empty());
  CHECK(extract_strict("The answer is (C)\u00E9\nmore") == "(C)");
  CHECK(extract_strict("The answer is \nThe answer is (D).") == "(D)");
  CHECK(extract_strict("The answer is (A).\nThe answer is (D).") == "(A)");
  CHECK(extract_strict("The answer is a\rb.") == "a\rb");  // only \n ends a line
  CHECK(extract_strict("The answer is  \u2003(B) .") == "(B)");
  CHECK(extract_strict("the answer is (B).") == kInvalid);
  CHECK(extract_strict("The answer is ") == kInvalid);
  CHECK(extract_strict("") == kInvalid);
}

TEST_CASE("flexible: the last capital in parentheses wins over everything") {
  CHECK(flexible("(A) then (B)") == "(B)");
  CHECK(flexible("beta, as P(A) says") == "(A)");
  CHECK(flexible("no (b), no (AB), yes ((Z)") == "(Z)");
}

TEST_CASE("flexible: else the last choice text, longest first at a place") {
  CHECK(flexible("It is BETA, not alpha! Beta...") == "(B)");
  const Choices nested = {"Guilty", "Guilty of Romance", "x1", "x2"};
  CHECK(extract_flexible("guilty of romance", nested).answer == "(B)");
  CHECK(extract_flexible("guilty of romance", nested, FlexVariant::v0_4_12).answer == "(A)");
  CHECK(flexible("it is same", {"same", "x", "Same.", "y"}) == "(C)");  // equal keys: the last letter
  CHECK(flexible("a b", {"( )", "zz", "yy", "ww"}) == kInvalid);  // the key is a blank: it strips to nothing
  CHECK(flexible("is 5 x", {"5 (", "q", "r", "s"}) == "5");       // the key "5 " is not the stripped "5"
  CHECK(flexible("beta", {"", "beta", "g", "d"}) == kInvalid);    // an empty choice matches everywhere
  CHECK(flexible("beta: C", {"...", "beta", "g", "d"}) == "(C)");
}

TEST_CASE("flexible: else the last capital A to D after a colon") {
  CHECK(flexible("Answer: B") == "(B)");
  CHECK(flexible("Answer:\u00A0\x1C\n D or :C?") == "(C)");
  CHECK(flexible("Answer: E") == kInvalid);
  CHECK(flexible("Answer: b") == kInvalid);
  CHECK(extract_flexible("Answer: B", kLetters).rule == FlexRule::letter_after_colon);
  CHECK(extract_flexible("nothing", kLetters).rule == FlexRule::none);
}

TEST_CASE("a hostile answer is searched in linear time and never crashes") {
  const std::string colons = std::string(1 << 20, ':') + std::string(1 << 20, ' ');
  CHECK(flexible(colons) == kInvalid);
  CHECK(flexible(std::string(1 << 20, '(')) == kInvalid);
  CHECK(extract_strict("The answer is " + std::string(4 << 20, 'x')).size() == (4u << 20) - 1);
  CHECK(flexible(std::string(1 << 20, 'a'), {"ab", "aab", "aaab", "aaaab"}) == kInvalid);
  const std::string key(1 << 19, 'a');
  CHECK(flexible(std::string(1 << 20, 'a'), {key + "b", key + "c", "b" + key, "x"}) == kInvalid);
}

TEST_CASE("bytes that are no UTF-8 count as U+FFFD") {
  CHECK(extract_strict("The answer is (B)\xFF") == "(B)");
  CHECK(extract_strict("The answer is \xE2\x82.") == "\uFFFD");
  CHECK(flexible("\xFF(C)\xFF") == "(C)");
  CHECK(flexible("it is be\xFFta: D\x80") == "(D)");
  CHECK(flexible("a\xFFz", {"x", "A\uFFFDZ", "y", "z"}) == "(B)");
  CHECK(flexible("a\uFFFDz", {"x", "A\xFFZ", "y", "z"}) == "(B)");
}

TEST_CASE("exact_match: what grows when it is lower-cased is cut to the old length, as in numpy") {
  CHECK(exact_match("\u0130B", "i\u0307"));
  CHECK_FALSE(exact_match("\u0130B", "i\u0307b"));
  CHECK(exact_match("B\u0130", "bi"));
  CHECK(exact_match(std::string("\u0130B\0", 4), "i\u0307b"));  // the NUL leaves room
}

TEST_CASE("exact_match: lower case, no ASCII punctuation, no trailing NULs, no trimming") {
  CHECK(exact_match("(b", "(B)"));
  CHECK(exact_match("B", "(B)"));
  CHECK(exact_match("[B]!?", "(B)"));
  CHECK(exact_match(std::string("b\0\0", 3), "(B)"));
  CHECK_FALSE(exact_match(" B", "(B)"));
  CHECK_FALSE(exact_match("", "(B)"));
  CHECK_FALSE(exact_match("\u2018B\u2019", "(B)"));  // typographic quotes stay
}

}  // namespace
}  // namespace gpqa
