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
  CHECK(out.dump() ==
        R"j({"id":[1,"x"],"strict_extracted":"(B)","strict_score":1.0,"flex_extracted":"(B)","flex_score":1.0})j");
}

TEST_CASE("a null or absent response is an empty answer") {
  for (const std::string response : {R"(, "response": null)", ""}) {
    const auto out = nlohmann::json::parse(extract_json_line(line_with("1", response)));
    CHECK(out["flex_extracted"] == "[invalid]");
    CHECK(out["strict_score"] == 0.0);
  }
}

TEST_CASE("lone surrogates are replaced, pairs and escaped backslashes are not") {
  const auto out = nlohmann::json::parse(extract_json_line(
      line_with("1", R"(, "response": "The answer is \ud800 \\ud800 \ud83d\ude00 \udc00x.")")));
  CHECK(out["strict_extracted"] == "\uFFFD \\ud800 \U0001F600 \uFFFDx");
}

TEST_CASE("what is wrong with a line is named") {
  CHECK_THROWS_WITH(extract_json_line("[1]"), Catch::Contains("not a JSON object"));
  CHECK_THROWS_WITH(extract_json_line("{\"id\": 1"), Catch::Contains("not a JSON object"));
  CHECK_THROWS_WITH(extract_json_line(R"({"id": 1})"), Catch::Contains("no key \"choices\""));
  CHECK_THROWS_WITH(extract_json_line(R"({"choices": ["a", "b", 3, "d"]})"), Catch::Contains("four strings"));
  CHECK_THROWS_WITH(extract_json_line(R"({"choices": ["a","b","c","d"], "target": 1})"), Catch::Contains("\"target\""));
  CHECK_THROWS_AS(extract_json_line(line_with("1", R"(, "response": 7)")), InputError);
}

}  // namespace
}  // namespace gpqa
