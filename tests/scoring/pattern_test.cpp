#include "scoring/pattern.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "prompts/python_strip.h"
#include "tests/catch.h"
#include "tests/scoring/unicode.h"

namespace gpqa {
namespace {

std::vector<std::string> find_all(std::string_view pattern, std::string_view text) {
  std::vector<std::string> found;
  Pattern(pattern).each_match(text, [&](std::string_view match) {
    found.emplace_back(match);
    return true;
  });
  return found;
}

// What Python 3.11's re.findall gives.
TEST_CASE("matches are listed as re.findall lists them, empty ones too") {
  using List = std::vector<std::string>;
  CHECK(find_all("(|a)", "ab") == List{"", "a", "", ""});
  CHECK(find_all("(a*)", "baac") == List{"", "aa", "", ""});
  CHECK(find_all("(a|)", "a\u00E9") == List{"a", "", ""});
  CHECK(find_all("(.)", "a\r\u2028\n\u0085") == List{"a", "\r", "\u2028", "\u0085"});
  CHECK(find_all("(a)", "").empty());
}

TEST_CASE("a visitor that has seen enough is not asked again") {
  int asked = 0;
  Pattern("(a)").each_match("aaa", [&](std::string_view) { return ++asked < 2; });
  CHECK(asked == 2);
}

TEST_CASE("a search that PCRE2 gives up is an error, not an answer without a match") {
  CHECK_THROWS_AS(find_all("((?:a+)+)[bc]", std::string(64, 'a')), std::runtime_error);
  CHECK_THROWS_AS(find_all("(a)", "a\xFF"), std::runtime_error);
  CHECK_THROWS_AS(Pattern("(a"), std::logic_error);
}

TEST_CASE("white space is Python's, over all of Unicode") {
  const Pattern space("(" + std::string(kPythonSpaceClass) + ")");
  std::size_t spaces = 0;
  for_each_code_point([&](char32_t code, const std::string& text) {
    bool matched = false;
    space.each_match(text, [&](std::string_view) { return matched = true; });
    if (matched != is_python_space(code)) {
      FAIL_CHECK("U+" << std::hex << static_cast<std::uint32_t>(code));
    }
    spaces += matched ? 1 : 0;
  });
  CHECK(spaces == 29);  // sum(chr(c).isspace() for c in range(0x110000))
}

}  // namespace
}  // namespace gpqa
