#include "runners/remote/chat_chunk.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.h"

namespace gpqa {
namespace {

// As a member that nobody reads: it must be JSON all the same.
std::string unread(std::string_view text) {
  return "{\"unread\":" + std::string(text) + "}";
}

bool accepts(std::string_view text) {
  try {
    parse_chat_chunk(unread(text));
    return true;
  } catch (const StreamError&) {
    return false;
  }
}

// What nlohmann takes: the same, but for numbers beyond a double and any depth.
bool peer_accepts(std::string_view text) {
  return nlohmann::json::accept(unread(text));
}

std::string content(std::string_view text) {
  return parse_chat_chunk("{\"choices\":[{\"delta\":{\"content\":" + std::string(text) + "}}]}").content;
}

std::optional<std::int64_t> count(std::string_view text) {
  return parse_chat_chunk("{\"timings\":{\"predicted_n\":" + std::string(text) + "}}").timings->predicted_n;
}

TEST_CASE("members and elements come in any order, the last of a name counts, of several choices the first") {
  const auto chunk = parse_chat_chunk(
      R"( {"b" : -2.5e3, "usage": {"completion_tokens": 7}, "e": [], "choices": [{"finish_reason": "stop",
          "delta": {"content": "x", "content": "y", "reasoning_content": "r"}}, {"delta": {"content": "z"}}]} )");
  CHECK(chunk.content == "y");
  CHECK(chunk.reasoning == "r");
  CHECK(chunk.finish_reason == "stop");
  CHECK(chunk.usage->completion_tokens == 7);
  CHECK_FALSE(chunk.timings.has_value());
}

TEST_CASE("settings and errors are taken as they are written, but for white space") {
  const auto verbose = parse_chat_chunk(
      R"({"__verbose": {"truncated": true, "generation_settings": {"a": [1, "x", {"deep": null}]}}})");
  CHECK(verbose.truncated);
  CHECK(verbose.generation_settings == R"({"a":[1,"x",{"deep":null}]})");
  CHECK(parse_chat_chunk(R"({"error": {"code": 500, "message": "no"}})").error->message == "no");
  CHECK_THROWS_AS(parse_chat_chunk(R"({"error":")" + std::string(70000, 'x') + "\"}"), StreamError);
}

TEST_CASE("strings are decoded") {
  CHECK(content(R"("plain \u00e9é")") == "plain éé");
  CHECK(content(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(content(R"("\u0041\u07ff\u0800\ud83d\ude00!")") == "A\u07ff\u0800\U0001F600!");
  CHECK(content("\"\\u0000\"") == std::string(1, '\0'));
}

TEST_CASE("counts are whole and in range") {
  CHECK(count("0") == 0);
  CHECK(count("1099511627776") == std::int64_t{1} << 40);
  CHECK_FALSE(count("null").has_value());
  for (const char* bad :
       {"1099511627777", "9223372036854775807", "9223372036854775808", "-5", "1.0", "1e3", "\"1\""}) {
    INFO(bad);
    CHECK_THROWS_AS(count(bad), StreamError);
  }
}

TEST_CASE("what is no JSON is refused, as another reader refuses it") {
  for (const std::string text : {"",
                                 " ",
                                 "{",
                                 "[",
                                 "]",
                                 "{]",
                                 "[}",
                                 "{\"a\"}",
                                 "{\"a\":}",
                                 "{\"a\":1,}",
                                 "[1,]",
                                 "[1 2]",
                                 "{a:1}",
                                 "nul",
                                 "truex",
                                 "falsy",
                                 "01",
                                 "-",
                                 "1.",
                                 ".5",
                                 "1e",
                                 "1e+",
                                 "+1",
                                 "0x10",
                                 "NaN",
                                 "\"",
                                 "\"\\\"",
                                 "\"\\x\"",
                                 "\"\\u12\"",
                                 "\"\\u12g4\"",
                                 "\"\\ud800\"",
                                 "\"\\ud800x\"",
                                 "\"\\ud800\\u0041\"",
                                 "\"\\udc00\"",
                                 "\"\n\"",
                                 "\"\t\"",
                                 "\"\xff\"",
                                 "\"\xc0\xaf\"",
                                 "\"\xe0\x80\xaf\"",
                                 "\"\xed\xa0\x80\"",
                                 "\"\xf4\x90\x80\x80\"",
                                 "\"\xc3\"",
                                 "\"\xf0\x9f\x98\"",
                                 "1 1",
                                 "{} x",
                                 "\"a\"\"b\"",
                                 "[1]]",
                                 "\xff"}) {
    INFO(text);
    CHECK_FALSE(accepts(text));
    CHECK_FALSE(peer_accepts(text));
  }
  for (const std::string text :
       {"0", "-0", "1e5", "1E-5", "0.10", " [ ] ", "{\"\":[{}]}", "\"\x7f\"", "null"}) {
    INFO(text);
    CHECK(accepts(text));
    CHECK(peer_accepts(text));
  }
}

TEST_CASE("depth is bounded") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(accepts(nested(63)));  // the event itself is one more
  CHECK_FALSE(accepts(nested(64)));
  CHECK_FALSE(accepts(std::string(1000000, '[')));
}

TEST_CASE("damaged captures are taken or refused as another reader does") {
  std::vector<std::string> captures;
  for (const auto& entry : std::filesystem::directory_iterator(GPQA_TEST_DATA "/llama-server")) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(in)), {});
    if (text.size() < 8000 && nlohmann::json::accept(text)) {
      captures.push_back(std::move(text));
    }
  }
  REQUIRE(captures.size() > 40);
  std::mt19937 random(7);
  constexpr std::string_view kNasty = "\"\\{}[],:0-9.u\n\t tfn\x80\xc3\xed\xa0\xf0\x9f\xff";
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = captures[random() % captures.size()];
    for (auto left = 1 + random() % 3; left > 0; --left) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = kNasty[random() % kNasty.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 4);
          break;
        default:
          text.insert(at, 1, kNasty[random() % kNasty.size()]);
      }
      if (text.empty()) {
        text = "{}";
      }
    }
    const bool taken = accepts(text);
    refused += taken ? 0 : 1;
    if (taken != peer_accepts(text)) {
      FAIL(text);
    }
  }
  CHECK(refused > 1000);
  CHECK(refused < 4000);
}

}  // namespace
}  // namespace gpqa
