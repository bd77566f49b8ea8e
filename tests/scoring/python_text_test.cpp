#include "scoring/python_text.h"

#include "prompts/sha256.h"
#include "prompts/utf8.h"
#include "tests/catch.h"
#include "tests/scoring/unicode.h"

namespace gpqa {
namespace {

// The hashes are of the same strings made by Python 3.11 (scripts/python_text_hashes.py).
template <class F>
std::string hash_over_unicode(F f) {
  std::string all;
  for_each_code_point([&](char32_t, const std::string& text) { all += f(text); });
  return sha256_hex(all);
}

TEST_CASE("lower() over all of Unicode is Python's, alone and around a sigma") {
  CHECK(hash_over_unicode([](const std::string& c) { return python_lower(c); }) ==
        "958a7ea6410864d6bdee95e35373a838cd50f39ae4208f30d5fe14da0a0faff2");
  CHECK(hash_over_unicode([](const std::string& c) { return python_lower("a" + c + "\u03A3" + c + "b"); }) ==
        "1b8883bcec387c675c91b9efa646fee08ed2e8b19fc803fc740b62fe67d56158");
  CHECK(hash_over_unicode([](const std::string& c) { return python_lower("a\u03A3" + c); }) ==
        "ef29f32bbdbddfa03c0b88c64089e2f972dc22b59e9d931f0313c861f6b8e436");
  CHECK(hash_over_unicode([](const std::string& c) { return python_lower(c + "\u03A3"); }) ==
        "0ecb5bcff1666091d961e03e236394ca83683eb3d2c606c082e8c47b7028ff87");
}

TEST_CASE("punctuation over all of Unicode is Python's") {
  CHECK(hash_over_unicode([](const std::string& c) { return without_punctuation(c); }) ==
        "0cde6209919c7006ef280fb1c8e47235dc86232e16b3cf65db1856e0b2cc5cb7");
}

TEST_CASE("lower() at the edges") {
  CHECK(python_lower("\u0130") == "i\u0307");
  CHECK(python_lower("ΟΔΟΣ ΟΔΟΣ.") == "οδος οδος.");
  CHECK(python_lower("Σ") == "σ");
  CHECK(python_lower("").empty());
  std::string grows;
  for (int i = 0; i < 1000; ++i) {
    grows += "\u0130\u023A";
  }
  CHECK(python_lower(grows).size() == 6000);
}

// What Python 3.11's bytes.decode("utf-8", "replace") gives.
TEST_CASE("bytes that are no UTF-8 are replaced, one character for each maximal part") {
  CHECK(with_valid_utf8("ok\u00E9\U0001F600") == "ok\u00E9\U0001F600");
  CHECK(with_valid_utf8("a\xFF"
                        "b") == "a\uFFFDb");
  CHECK(with_valid_utf8("\xE2\x82") == "\uFFFD");
  CHECK(with_valid_utf8("\xE2\x82x") == "\uFFFDx");
  CHECK(with_valid_utf8("\xF0\x9F\x98") == "\uFFFD");
  CHECK(with_valid_utf8("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");
  CHECK(with_valid_utf8("\xC0\xAF") == "\uFFFD\uFFFD");
  CHECK(with_valid_utf8("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");
  CHECK(with_valid_utf8("\xF0\x80\x80") == "\uFFFD\uFFFD\uFFFD");
  CHECK(with_valid_utf8("").empty());
}

TEST_CASE("lengths and prefixes count code points") {
  CHECK(python_len("a\u00E9\U0001F600") == 3);
  CHECK(python_prefix("a\u00E9\U0001F600", 2) == "a\u00E9");
  CHECK(python_prefix("a\u00E9", 5) == "a\u00E9");
  CHECK(python_prefix("\u00E9", 0).empty());
}

TEST_CASE("symbols stay in Unicode's punctuation and go in ASCII's") {
  CHECK(without_punctuation("a+b=c, (d) `e` $5^2 |x| <~> \u2014 «q»") == "a+b=c d `e` $5^2 |x| <~>  q");
  CHECK(without_ascii_punctuation("a+b=c, (d) `e` \u2014") == "abc d e \u2014");
}

}  // namespace
}  // namespace gpqa
