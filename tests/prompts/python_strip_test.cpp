#include "prompts/python_strip.h"

#include "tests/catch.h"

namespace gpqa {
namespace {

TEST_CASE("white space and word characters are counted as Python 3.11 counts them") {
  // sum(chr(c).isspace() for c in range(0x110000)); the same for re.match(r"\w", chr(c))
  int spaces = 0;
  int words = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    spaces += is_python_space(code) ? 1 : 0;
    words += is_python_word(code) ? 1 : 0;
  }
  CHECK(spaces == 29);
  CHECK(words == 133548);
}

TEST_CASE("strip takes white space off both ends only") {
  CHECK(python_strip("\x1C \u2028a b\u3000\x85") == "a b\u3000\x85");  // a lone 0x85 byte is no character
  CHECK(python_strip("\u0085x\u00A0").size() == 1);
  CHECK(python_strip(" \n\t").empty());
  CHECK(python_strip("").empty());
}

}  // namespace
}  // namespace gpqa
