// Against what lm-eval 0.4.13 itself extracted and scored (tests/data/README.md).
#include "scoring/score.h"
#include "tests/catch.h"
#include "tests/json_lines.h"

namespace gpqa {
namespace {

TEST_CASE("3,526 answers: both filters extract and score what lm-eval does, in either choice order") {
  const auto lines = gpqa_test::read_json_lines(GPQA_TEST_DATA "/lm-eval/extraction.jsonl");
  REQUIRE(lines.size() == 3526);
  for (const auto& line : lines) {
    INFO(line.dump());
    const auto choices = line["choices"].get<std::array<std::string, 4>>();
    const auto response = line["response"].is_null() ? "" : line["response"].get<std::string>();
    const auto target = line["target"].get<std::string>();
    const auto now = score(response, choices, target);
    CHECK(now.strict.extracted == line["strict_extracted"]);
    CHECK(now.strict.correct == (line["strict_score"] == 1.0));
    CHECK(now.flexible.extracted == line["flex_extracted"]);
    CHECK(now.flexible.correct == (line["flex_score"] == 1.0));
    const auto before = score(response, choices, target, FlexVariant::v0_4_12);
    CHECK(before.flexible.extracted == line["flex_extracted_dev0"]);
    CHECK(before.flexible.correct == (line["flex_score_dev0"] == 1.0));
  }
}

}  // namespace
}  // namespace gpqa
