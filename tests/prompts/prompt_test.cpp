#include "prompts/prompt.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "prompts/python_json_string.h"
#include "prompts/python_random.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

TEST_CASE("cleaning a choice: strip, [title], one pass over double spaces, in that order") {
  const auto clean = [](const char* text) { return clean_choice(Cell(text), TaskVersion::v2_2); };
  CHECK(clean_choice(std::nullopt, TaskVersion::v2_2) == " ");
  CHECK(clean(" \u00A0a\u2003\n") == "a");
  CHECK(clean("a [title]b") == "a. b");
  CHECK(clean("a [title] b") == "a. b");  // "a.  b", then two spaces become one
  CHECK(clean("a   b    c") == "a  b  c");
  CHECK(clean("[x] y") == "[x] y");
  CHECK(clean("\u200Ba") == "\u200Ba");  // zero width space is not white space
  CHECK(clean("").empty());
}

TEST_CASE("1.0 removes anything in brackets on a line, 2.1 only a word in them") {
  const auto v1 = [](const char* text) { return clean_choice(Cell(text), TaskVersion::v1_0); };
  const auto v2 = [](const char* text) { return clean_choice(Cell(text), TaskVersion::v2_1); };
  CHECK(v1("a[b c]d") == "ad");
  CHECK(v2("a[b c]d") == "a[b c]d");
  CHECK(v2("a[b_9é]d") == "ad");
  CHECK(v2("[[b]]") == "[]");
  CHECK(v1("[[b]]") == "]");
  CHECK(v1("[]x") == "x");
  CHECK(v2("[]x") == "[]x");
  CHECK(v1("[a\nb]") == "[a\nb]");
  CHECK(v1("[a\n[b]") == "[a\n");
  CHECK(v1("open [ only") == "open [ only");
  CHECK(v1("ends [") == "ends [");
  CHECK(v1("a [b] c") == "a c");          // the double space that is left becomes one
  CHECK(v2("[\u00B2]").empty());          // a superscript two is a number to Python
  CHECK(v2("[a\u0301]") == "[a\u0301]");  // a combining accent is no word character
}

TEST_CASE("a null question prints None; the question is not stripped") {
  CHECK(prompt_text(std::nullopt, {"1", "2", "3", "4"}) ==
        "What is the correct answer to this question:None\nChoices:\n(A) 1\n(B) 2\n(C) 3\n(D) 4\n"
        "Let's think step by step: ");
  CHECK(prompt_text(" q ", {"1", "2", "3", "4"})
            .starts_with("What is the correct answer to this question: q \n"));
}

TEST_CASE("JSON strings are escaped as json.dumps does with ensure_ascii=False") {
  CHECK(python_json_string("a\"\\\n\r\t\f\b\x01\x1F\x7F/é\u2028") ==
        "\"a\\\"\\\\\\n\\r\\t\\f\\b\\u0001\\u001f\x7F/é\u2028\"");
}

// re.sub("\\[INNER\\]", "", text), slowly: at every `[`, the nearest `]` with an INNER before it.
template <class IsInner>
std::string without_brackets(std::string_view text, IsInner is_inner) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::size_t end = i;
    for (std::size_t j = i + 1; text[i] == '[' && j < text.size() && end == i; ++j) {
      end = text[j] == ']' && is_inner(text.substr(i + 1, j - i - 1)) ? j : i;
    }
    if (end == i) {
      out += text[i];
    }
    i = end;
  }
  return out;
}

TEST_CASE("brackets go as the regular expressions of the task versions take them") {
  const auto any = [](std::string_view inner) { return inner.find('\n') == std::string_view::npos; };
  const auto word = [](std::string_view inner) {
    return !inner.empty() &&
           std::all_of(inner.begin(), inner.end(), [](char c) { return c == '_' || c == 'a' || c == '9'; });
  };
  constexpr std::string_view kAlphabet = "[[[]]]aa_9\n\r.";
  PythonRandom random(4);
  for (int round = 0; round < 5000; ++round) {
    std::string text = "x";  // the ends are no white space
    for (auto n = random.below(14); n > 0; --n) {
      text += kAlphabet[random.below(kAlphabet.size())];
    }
    text += "y";
    INFO(text);
    REQUIRE(clean_choice(text, TaskVersion::v1_0) == without_brackets(text, any));
    REQUIRE(clean_choice(text, TaskVersion::v2_1) == without_brackets(text, word));
    REQUIRE(clean_choice(text, TaskVersion::v2_2) == text);
  }
}

TEST_CASE("a JSON string says what it was made of") {
  PythonRandom random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (auto n = random.below(12); n > 0; --n) {
      text +=
          random.below(3) == 0 ? std::string("\u2029") : std::string(1, static_cast<char>(random.below(128)));
    }
    REQUIRE(nlohmann::json::parse(python_json_string(text)) == text);
    REQUIRE(nlohmann::json::parse(messages_json(text)) ==
            nlohmann::json::array({{{"role", "user"}, {"content", text}}}));
  }
}

}  // namespace
}  // namespace gpqa
