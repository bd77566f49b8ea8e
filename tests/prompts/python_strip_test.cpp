#include "prompts/python_strip.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <vector>

#include "prompts/python_random.h"
#include "prompts/sha256.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

TEST_CASE("every code point is white space, a word character, or neither as in Python 3.11") {
  std::string spaces;
  std::string words;
  for (char32_t code = 0; code < 0x110000; ++code) {
    spaces += is_python_space(code) ? '1' : '0';
    words += is_python_word(code) ? '1' : '0';
  }
  CHECK(std::count(spaces.begin(), spaces.end(), '1') == 29);
  CHECK(std::count(words.begin(), words.end(), '1') == 133548);
  // sha256("".join("01"[chr(c).isspace()] for c in range(0x110000)).encode()), Python 3.11.7; and the same of
  // bool(re.match(r"\w", chr(c))). A newer ICU must not change them.
  CHECK(sha256_hex(spaces) == "6c4eda9112d4db3cd23936f071127b489c7a69988e8758a098bb879af25f141e");
  CHECK(sha256_hex(words) == "aca1ca50ef4e1c4111b28ec51f4d56eb6d76f337f745f45183f12180b4fe8639");
}

TEST_CASE("strip takes white space off both ends only") {
  CHECK(python_strip("\x1C \u2028a b\u3000\x85") == "a b\u3000\x85");  // a lone 0x85 byte is no character
  CHECK(python_strip("\u0085x\u00A0").size() == 1);
  CHECK(python_strip(" \n\t").empty());
  CHECK(python_strip("").empty());
}

TEST_CASE("strip takes all of the white space there is at the ends, and nothing else") {
  constexpr std::array<std::string_view, 10> kPieces = {
      " ", "\x1F", "\u0085", "\u2003", "\u3000", "\u200B", "a", "\xF0\x9F\x98\x80", "\x85", "\xF0\x9F"};
  PythonRandom random(3);
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::size_t> pieces(random.below(8));
    std::string text;
    for (auto& piece : pieces) {
      text += kPieces[piece = random.below(kPieces.size())];
    }
    const auto is_space = [](std::size_t piece) { return piece < 5; };
    auto first = std::find_if_not(pieces.begin(), pieces.end(), is_space);
    auto last = std::find_if_not(pieces.rbegin(), std::make_reverse_iterator(first), is_space).base();
    std::string expected;
    for (auto piece = first; piece != last; ++piece) {
      expected += kPieces[*piece];
    }
    REQUIRE(python_strip(text) == expected);
  }
}

}  // namespace
}  // namespace gpqa
