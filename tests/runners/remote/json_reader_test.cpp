#include "runners/remote/json_reader.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.h"

namespace gpqa {
namespace {

bool accepts(std::string_view text) {
  JsonReader reader(text);
  try {
    reader.skip();
    reader.end();
    return true;
  } catch (const JsonError&) {
    return false;
  }
}

std::string decoded(std::string_view text) {
  JsonReader reader(text);
  return std::string(reader.string());
}

// What nlohmann takes: the same, but for numbers beyond a double, a byte order mark, and any depth.
bool peer_accepts(const std::string& text) {
  return nlohmann::json::accept(text);
}

TEST_CASE("JSON: members and elements come in order, what is skipped is checked") {
  JsonReader reader(R"( {"a": [1, "x", {"deep": null}], "b" : -2.5e3, "c": true, "d": {}, "e": []} )");
  std::vector<std::string> seen;
  reader.object([&](std::string_view key) {
    seen.emplace_back(key);
    if (key == "b") {
      CHECK(to_double(reader.number()) == -2500);
    } else {
      seen.emplace_back(reader.skip());
    }
  });
  reader.end();
  CHECK(seen ==
        std::vector<std::string>{"a", R"([1, "x", {"deep": null}])", "b", "c", "true", "d", "{}", "e", "[]"});
}

TEST_CASE("JSON: strings are decoded") {
  CHECK(decoded(R"("plain \u00e9é")") == "plain éé");
  CHECK(decoded(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(decoded(R"("\u0041\u07ff\u0800\ud83d\ude00!")") == "A\u07ff\u0800\U0001F600!");
  CHECK(decoded("\"\\u0000\"") == std::string(1, '\0'));
}

TEST_CASE("JSON: integers are whole and in range, or nothing") {
  CHECK(to_integer("9223372036854775807") == INT64_MAX);
  CHECK(to_integer("9223372036854775808") == std::nullopt);
  CHECK(to_integer("-5") == -5);
  CHECK(to_integer("1.0") == std::nullopt);
  CHECK(to_integer("1e3") == std::nullopt);
}

TEST_CASE("JSON: what is none is refused, as another reader refuses it") {
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

TEST_CASE("JSON: depth is bounded") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(accepts(nested(64)));
  CHECK_FALSE(accepts(nested(65)));
  CHECK_FALSE(accepts(std::string(1000000, '[')));
}

TEST_CASE("JSON: damaged captures are taken or refused as another reader does") {
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
