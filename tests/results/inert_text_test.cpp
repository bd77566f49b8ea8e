#include "results/inert_text.h"

#include "tests/catch.h"

namespace gpqa {
namespace {

TEST_CASE("what acts on a terminal is shown instead") {
  CHECK(terminal_escape("a\x1b[31mb") == "a\\x1b[31mb");
  CHECK(terminal_escape("a\rb\x07\x7f\tc\n") == "a\\x0db\\x07\\x7f\tc\n");
  CHECK(terminal_escape("\u202Eabc\u2066\u200E") == "\\u202eabc\\u2066\\u200e");
  CHECK(terminal_escape("\u009B31m") == "\\x9b31m");  // the one-character CSI
  CHECK(terminal_escape("a\u061C\u200B\u00AD") == "a\\u061c\\u200b\\xad");
  CHECK(terminal_escape("\U000E0041") == "\\U000e0041");  // a tag: invisible text
  CHECK(terminal_escape("\u2028") == "\\u2028");
  CHECK(terminal_escape("\u0645\u200C\u06CC") == "\u0645\u200C\u06CC");  // Persian needs its non-joiner
  CHECK(terminal_escape("x\xFF\xC3") == "x\\xff\\xc3");
  CHECK(terminal_escape("é 漢 \U0001F600") == "é 漢 \U0001F600");
}

TEST_CASE("a markdown cell stays one cell") {
  CHECK(markdown_escape("a|b\nc") == "a\\|b\\x0ac");
  CHECK(markdown_escape("<script> [x](y) `z` *b*") == "\\<script\\> \\[x\\](y) \\`z\\` \\*b\\*");
  CHECK(markdown_escape("gemma-4_26B Q6_K") == "gemma-4_26B Q6_K");
}

}  // namespace
}  // namespace gpqa
