#include "scoring/extract_json.h"

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

std::string line_with(const std::string& id, const std::string& rest) {
  return "{\"id\": " + id + R"j(, "choices": ["a","b","c","d"], "target": "(B)")j" + rest + "}";
}

TEST_CASE("a line in, a line out, the id as it came") {
  const auto out = nlohmann::ordered_json::parse(
      extract_json_line(line_with(R"([1, "x"])", R"(, "response": "The answer is (B)x")")));
  CHECK(
      out.dump() ==
      R"j({"id":[1,"x"],"strict_extracted":"(B)","strict_score":1.0,"flex_extracted":"(B)","flex_score":1.0})j");
}

TEST_CASE("a null or absent response is an empty answer") {
  for (const std::string response : {R"(, "response": null)", ""}) {
    const auto out = nlohmann::json::parse(extract_json_line(line_with("1", response)));
    CHECK(out["flex_extracted"] == "[invalid]");
    CHECK(out["strict_score"] == 0.0);
  }
}

TEST_CASE("an id comes back as it was written") {
  for (const std::string id :
       {"12345678901234567890123", "1e2", "0.10", R"({"k": [1, "]}"]})", "null", R"("\ud800\n")"}) {
    CHECK_THAT(extract_json_line(line_with(id, "")), Catch::StartsWith("{\"id\":" + id + ",\"strict"));
  }
  CHECK_THAT(extract_json_line(line_with("1", R"(, "\u0069d" : "last" )")),
             Catch::StartsWith(R"({"id":"last",)"));
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  CHECK_THAT(extract_json_line(line_with(deep, "")), Catch::StartsWith("{\"id\":" + deep + ",\"strict"));
}

TEST_CASE("lone surrogates are kept, and pairs and escaped backslashes stay what they are") {
  const auto line = [](const std::string& response) {
    return extract_json_line(line_with("1", R"(, "response": ")" + response + "\""));
  };
  CHECK_THAT(line(R"(The answer is \ud800 \\ud800 \ud83d\ude00 \uDC00\ud83d\ud83d\ude00x.)"),
             Catch::Contains(R"("strict_extracted":"\ud800 \\ud800 )"
                             "\U0001F600"
                             R"( \udc00\ud83d)"
                             "\U0001F600"
                             R"(x")"));
  // Whichever private-use characters are free stand in for them meanwhile.
  CHECK_THAT(line("The answer is \uE000\\uE800\\ud800."), Catch::Contains("\"\uE000\uE800\\ud800\""));
  CHECK_THROWS_WITH(line("\uE000\\uE800\\uf000\\ud800"), Catch::Contains("lone surrogates"));
}

TEST_CASE("a lone surrogate in a choice matches itself and no other") {
  const auto flexible = [](const std::string& response) {
    const auto out = extract_json_line(
        R"j({"id": 1, "target": "(A)", "choices": ["x", "\ud800", "\ud801", "\ufffd"], "response": ")j" +
        response + "\"}");
    return nlohmann::json::parse(out)["flex_extracted"].get<std::string>();
  };
  CHECK(flexible(R"(\ud800)") == "(B)");
  CHECK(flexible(R"(\ud801.)") == "(C)");
  CHECK(flexible(R"(\ufffd)") == "(D)");
  CHECK(flexible(R"(\ud802)") == "[invalid]");
}

TEST_CASE("what is wrong with a line is named") {
  CHECK_THROWS_WITH(extract_json_line("[1]"), Catch::Contains("a JSON array"));
  CHECK_THROWS_WITH(extract_json_line("{\"id\": 1"), Catch::Contains("not JSON in UTF-8, at byte 9"));
  CHECK_THROWS_WITH(extract_json_line("{\"id\": \"\xFF\"}"), Catch::Contains("not JSON in UTF-8, at byte 9"));
  CHECK_THROWS_WITH(extract_json_line("{\"id\": 1e999}"), Catch::Contains("out of range"));
  CHECK_THROWS_WITH(extract_json_line(""), Catch::Contains("not JSON"));
  CHECK_THROWS_WITH(extract_json_line(R"({"id": 1})"), Catch::Contains("no key \"choices\""));
  CHECK_THROWS_WITH(extract_json_line(R"({"choices": ["a","b","c","d"]})"), Catch::Contains("no key \"id\""));
  CHECK_THROWS_WITH(extract_json_line(R"({"id": 1, "choices": ["a", "b", 3, "d"]})"),
                    Catch::Contains("choices[2]") && Catch::Contains("number"));
  CHECK_THROWS_WITH(extract_json_line(R"({"id": 1, "choices": ["a", "b", "c"]})"),
                    Catch::Contains("found 3"));
  CHECK_THROWS_WITH(extract_json_line(R"({"id": 1, "choices": ["a","b","c","d"], "target": 1})"),
                    Catch::Contains("\"target\""));
  CHECK_THROWS_AS(extract_json_line(line_with("1", R"(, "response": 7)")), InputError);
}

}  // namespace
}  // namespace gpqa
