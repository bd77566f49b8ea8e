#include "runners/model_files/reasoning_parser.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <random>

#include <nlohmann/json.hpp>

#include "tests/catch.h"

namespace gpqa {
namespace {

std::string text_or_empty(const nlohmann::json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : "";
}

TEST_CASE("Gemma 4: 20 raw outputs are split as llama-server splits them") {
  std::ifstream in(GPQA_TEST_DATA "/gemma4/reasoning_parse_goldens.json");
  const auto goldens = nlohmann::json::parse(in);
  int compared = 0;
  for (const auto& golden : goldens["cases"]) {
    if (golden["reasoning_format"] != "deepseek") {
      continue;  // `none` leaves the tags in
    }
    INFO(golden.dump());
    ++compared;
    const auto split = split_gemma4(golden["raw"].get<std::string>());
    CHECK(split.parsed ==
          (!golden.contains("error") && golden["content"] != "<|channel>final\nabc<channel|>x"));
    if (!golden.contains("error")) {
      CHECK(split.content == golden["content"]);
      CHECK(split.reasoning == text_or_empty(golden, "reasoning_content"));
    }
  }
  CHECK(compared == 20);
}

TEST_CASE("Gemma 4: another channel at the start is no parse, and its text is kept") {
  const std::string raw = "<|channel>final\nabc<channel|>x";
  const auto split = split_reasoning(raw);
  CHECK_FALSE(split.parsed);
  CHECK(split.content == raw);
  CHECK(split.reasoning.empty());
}

TEST_CASE("Gemma 4: what format `none` left in the content splits as the server would have split it") {
  std::ifstream in(GPQA_TEST_DATA "/gemma4/reasoning_parse_goldens.json");
  const auto cases = nlohmann::json::parse(in)["cases"];
  int compared = 0;
  int lost = 0;
  for (const auto& none : cases) {
    if (none["reasoning_format"] != "none") {
      continue;
    }
    INFO(none.dump());
    if (none.contains("error")) {
      CHECK_FALSE(split_gemma4(none["raw"].get<std::string>()).parsed);
      ++lost;
      continue;
    }
    for (const auto& split_by_server : cases) {
      if (split_by_server["reasoning_format"] == "deepseek" && split_by_server["raw"] == none["raw"]) {
        const auto split = split_reasoning(none["content"].get<std::string>());
        CHECK(split.content == split_by_server["content"]);
        CHECK(split.reasoning == text_or_empty(split_by_server, "reasoning_content"));
        ++compared;
      }
    }
  }
  CHECK(compared == 18);  // 9 texts, each with thinking on and off
  CHECK(lost == 1);
}

TEST_CASE("Gemma 4: captured answers with their raw text") {
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(GPQA_TEST_DATA "/llama-server")) {
    if (!entry.path().filename().string().starts_with("parse_") || entry.path().extension() != ".body") {
      continue;
    }
    std::ifstream in(entry.path());
    const auto body = nlohmann::json::parse(in, nullptr, false);
    if (!body.is_object() || !body.contains("__verbose")) {
      continue;
    }
    INFO(entry.path());
    const auto split = split_gemma4(body["__verbose"]["content"].get<std::string>());
    CHECK(split.content == body["choices"][0]["message"]["content"]);
    CHECK(split.reasoning == text_or_empty(body["choices"][0]["message"], "reasoning_content"));
    ++compared;
  }
  CHECK(compared >= 6);
}

TEST_CASE("Gemma 4: a text cut inside the opening tag is a thought without text") {
  for (const std::string_view raw :
       {"<|channel>", "<|channel>tho", "<|channel>thought", "<|channel>thought\n"}) {
    const auto split = split_gemma4(raw);
    CHECK(split.unclosed);
    CHECK(split.parsed);
    CHECK(split.content.empty());
    CHECK(split.reasoning.empty());
  }
}

TEST_CASE("<think>: closed, unclosed, repeated, opened by the template, absent") {
  const auto closed = split_reasoning("<think>\nabc</think>\nThe answer is (A).");
  CHECK(closed.reasoning == "abc");
  CHECK(closed.content == "\nThe answer is (A).");
  CHECK_FALSE(closed.unclosed);
  const auto open = split_reasoning("<think>abc (B)");
  CHECK(open.reasoning == "abc (B)");
  CHECK(open.content.empty());
  CHECK(open.unclosed);
  const auto twice = split_reasoning("<think>a</think>x<think>b</think>y");
  CHECK(twice.reasoning == "ab");
  CHECK(twice.content == "xy");
  const auto by_template = split_reasoning("abc</think>answer");
  CHECK(by_template.reasoning == "abc");
  CHECK(by_template.content == "answer");
  const auto plain = split_reasoning("1 < 2, think (C)");
  CHECK(plain.content == "1 < 2, think (C)");
  CHECK(plain.reasoning.empty());
}

TEST_CASE("the tag that comes first says which format it is") {
  const auto gemma = split_reasoning("<|channel>thought\nis it <think>?<channel|>yes </think>");
  CHECK(gemma.reasoning == "is it <think>?");
  CHECK(gemma.content == "yes </think>");
  const auto think = split_reasoning("<think>or <|channel>?</think>no <channel|> (A)");
  CHECK(think.reasoning == "or <|channel>?");
  CHECK(think.content == "no <channel|> (A)");
}

struct Tags {
  std::string open, close;
};

TEST_CASE("thoughts and answers put together come apart again") {
  std::mt19937 random(1);
  const std::string alphabet = "ab (<|>)\n/c";  // no letters of a tag's name
  const auto text = [&](std::size_t most) {
    std::string out;
    for (std::size_t n = random() % (most + 1); n > 0; --n) {
      out.push_back(alphabet[random() % alphabet.size()]);
    }
    return out;
  };
  for (const auto& tags : {Tags{"<|channel>thought\n", "<channel|>"}, Tags{"<think>\n", "</think>"}}) {
    for (int i = 0; i < 2000; ++i) {
      std::string raw = text(5), content = raw, reasoning;
      const std::size_t blocks = 1 + random() % 3;
      const bool cut = random() % 3 == 0;
      for (std::size_t block = 0; block < blocks; ++block) {
        const std::string thought = "t" + text(8);  // white space in front is the tag's
        reasoning += thought;
        raw += tags.open + thought;
        if (cut && block + 1 == blocks) {
          break;
        }
        const std::string answer = text(8);
        raw += tags.close + answer;
        content += answer;
      }
      CAPTURE(raw);
      const auto split = split_reasoning(raw);
      REQUIRE(split.parsed);
      REQUIRE(split.reasoning == reasoning);
      REQUIRE(split.content == content);
      REQUIRE(split.unclosed == cut);
    }
  }
}

TEST_CASE("any order of tags is split without inventing text, and no tag is left where it was understood") {
  std::mt19937 random(2);
  const std::array<std::string, 10> parts = {"<|channel>", "<|channel>thought",
                                             "<channel|>", "<|turn>model\n",
                                             "<think>",    "</think>",
                                             "thought\n",  "a",
                                             " ",          "<|chan"};
  const auto is_within = [](std::string_view part, std::string_view whole) {  // as a subsequence
    for (const char c : whole) {
      if (!part.empty() && part.front() == c) {
        part.remove_prefix(1);
      }
    }
    return part.empty();
  };
  for (int i = 0; i < 20000; ++i) {
    std::string raw;
    for (std::size_t n = random() % 9; n > 0; --n) {
      raw += parts[random() % parts.size()];
    }
    CAPTURE(raw);
    const auto gemma = split_gemma4(raw);
    REQUIRE(is_within(gemma.reasoning, raw));
    REQUIRE(is_within(gemma.content, raw));
    REQUIRE(gemma.content.size() + gemma.reasoning.size() <= raw.size());
    if (gemma.parsed) {
      REQUIRE(gemma.content.find("<channel|>") == std::string::npos);
      REQUIRE(gemma.reasoning.find("<channel|>") == std::string::npos);
    } else {
      REQUIRE(gemma.content == raw);
    }
    const auto think = split_think_tags(raw);
    REQUIRE(think.parsed);
    REQUIRE(is_within(think.reasoning, raw));
    REQUIRE(is_within(think.content, raw));
    REQUIRE(think.content.find("<think>") == std::string::npos);
  }
}

TEST_CASE("a hostile text of megabytes is split") {
  const auto repeated = [](std::string_view part, std::size_t bytes) {
    std::string out;
    while (out.size() < bytes) {
      out += part;
    }
    return out;
  };
  constexpr std::size_t kBytes = 4 << 20;
  for (const std::string_view part : {"<|channel>", "<|channel>thought", "<|channel>thought a<channel|>b",
                                      "<channel|>", "<|channel", "<", "<|turn>model\n", "<think>", "</think>",
                                      "<think>a</think>b", "<thin", "a<think>", "b<|channel>thought "}) {
    CAPTURE(part);
    const std::string raw = repeated(part, kBytes);
    const auto gemma = split_gemma4(raw);
    CHECK(gemma.content.size() + gemma.reasoning.size() <= raw.size());
    const auto think = split_think_tags(raw);
    CHECK(think.content.size() + think.reasoning.size() <= raw.size());
  }
  CHECK(split_gemma4(repeated("<|channel>thought a<channel|>b", kBytes)).content.size() ==
        (kBytes + 29) / 30);  // bytes of a part
  CHECK_FALSE(
      split_gemma4("<|channel><|channel><|channel>thought x<channel|>y").parsed);  // said twice is the limit
}

}  // namespace
}  // namespace gpqa
