#include "prompts/dataset_report.h"

#include "tests/catch.h"

namespace gpqa {
namespace {

using Catch::Contains;
using Lines = std::vector<std::string>;

constexpr std::string_view kHeader =
    "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,Record ID,"
    "High-level domain,Subdomain,Canary String\n";

DatasetReport report(const std::string& rows, std::string_view header = kHeader) {
  return report_on(parse_dataset(std::string(header) + rows, "x.csv"));
}

TEST_CASE("the synthetic Diamond is known by its rows, and odd where it was made so") {
  const auto dataset = load_dataset(GPQA_TEST_DATA "/lm-eval/synthetic_gpqa_diamond.csv");
  const auto found = report_on(dataset);
  CHECK(found.set == "diamond");
  CHECK(found.rows == 198);
  CHECK(found.sha256 == dataset.sha256);
  CHECK(found.canaries == 198);
  CHECK_FALSE(found.warnings.empty());
}

TEST_CASE("sets are known by their rows alone") {
  const auto [rows, set] =
      GENERATE(table<int, std::string>({{448, "main"}, {546, "extended"}, {197, ""}, {1, ""}}));
  std::string text;
  for (int i = 0; i < rows; ++i)
    text += "q" + std::to_string(i) + ",a,b,c,d,r" + std::to_string(i) + ",p,s,canary\n";
  CHECK(report(text).set == set);
  CHECK(report(text).warnings.empty());
}

TEST_CASE("the canary is counted") {
  CHECK(report("q,a,b,c,d,r,p,s,x\nq2,a,b,c,d,r2,p,s,\n").canaries == 1);
  const auto none = report(
      "q,a,b,c,d\n", "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\n");
  CHECK_FALSE(none.canaries);
  CHECK(none.warnings == Lines{"no column \"Record ID\"; the published files have it",
                               "no column \"High-level domain\"; the published files have it",
                               "no column \"Subdomain\"; the published files have it"});
}

TEST_CASE("duplicates name both rows") {
  CHECK(report("q,a,b,c,d,r,p,s,x\n q ,a,b,c,d,r2,p,s,x\nq3,a,b,c,d,r,p,s,x\n").warnings ==
        Lines{"row 1: the same question as row 0", "row 2: the same \"Record ID\" as row 0"});
}

TEST_CASE("empty cells and equal choices name row and columns") {
  CHECK(report("q,a,b,NA,d,r,p,s,x\n,a,b,c,d,r2,p,s,x\nq3,a,b, a ,b,r3,p,s,x\n").warnings ==
        Lines{"row 0: \"Incorrect Answer 2\" is empty, or what pandas reads as null",
              "row 1: \"Question\" is empty, or what pandas reads as null",
              "row 2: \"Correct Answer\" and \"Incorrect Answer 2\" are the same",
              "row 2: \"Incorrect Answer 1\" and \"Incorrect Answer 3\" are the same"});
}

TEST_CASE("a file that is odd throughout is cut short, and shows no text") {
  std::string rows;
  for (int i = 0; i < 100; ++i) rows += "secret,secret,b,c,d,,p,s,x\n";
  const auto found = report(rows);
  CHECK(found.warnings.size() == 21);
  CHECK(found.warnings.back() == "and 79 more of this kind");
  for (const auto& warning : found.warnings) CHECK_THAT(warning, !Contains("secret"));
}

}  // namespace
}  // namespace gpqa
