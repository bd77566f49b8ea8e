#include "prompts/prompt.h"

#include "prompts/python_json_string.h"
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
  CHECK(clean("") == "");
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
  CHECK(v2("[\u00B2]") == "");            // a superscript two is a number to Python
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

}  // namespace
}  // namespace gpqa
