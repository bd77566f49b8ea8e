#include "runners/model_files/reasoning_parser.h"

#include <filesystem>
#include <fstream>

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

TEST_CASE("Gemma 4: what format `none` left in the content splits as the server would have split it") {
  std::ifstream in(GPQA_TEST_DATA "/gemma4/reasoning_parse_goldens.json");
  const auto cases = nlohmann::json::parse(in)["cases"];
  int compared = 0;
  for (const auto& none : cases) {
    if (none["reasoning_format"] != "none" || none.contains("error")) {
      continue;
    }
    for (const auto& split_by_server : cases) {
      if (split_by_server["reasoning_format"] == "deepseek" && split_by_server["raw"] == none["raw"]) {
        INFO(none.dump());
        const auto split = split_reasoning(none["content"].get<std::string>());
        CHECK(split.content == split_by_server["content"]);
        CHECK(split.reasoning == text_or_empty(split_by_server, "reasoning_content"));
        ++compared;
      }
    }
  }
  CHECK(compared == 18);
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

TEST_CASE("a hostile text takes linear time and loses no answer text") {
  std::string many;
  for (int i = 0; i < 200000; ++i) {
    many += "<|channel>";
  }
  CHECK_FALSE(split_gemma4(many).parsed);
  CHECK((split_gemma4("<|channel>" + many + "thought x<channel|>y").parsed ==
         false));  // said twice is the limit
  std::string blocks;
  for (int i = 0; i < 100000; ++i) {
    blocks += "<think>a</think>b";
  }
  CHECK(split_think_tags(blocks).content.size() == 100000);
}

}  // namespace
}  // namespace gpqa
