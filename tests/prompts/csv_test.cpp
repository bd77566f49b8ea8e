#include "prompts/csv.h"

#include "prompts/input_error.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows parse(std::string_view text) {
  Rows rows;
  for (auto& record : parse_csv(text, "x.csv")) {
    rows.push_back(std::move(record.fields));
  }
  return rows;
}

TEST_CASE("CSV: fields, quotes, and everything a quote protects") {
  CHECK(parse("a,b\n1,2\n") == Rows{{"a", "b"}, {"1", "2"}});
  CHECK(parse("a,\"b,c\nd\"\"e\"\n") == Rows{{"a", "b,c\nd\"e"}});
  CHECK(parse("\"x\r\ny\",2\r\n3,\r\n") == Rows{{"x\r\ny", "2"}, {"3", ""}});
  CHECK(parse("\"\"\"\"\n") == Rows{{"\""}});
  CHECK(parse("a,b") == Rows{{"a", "b"}});
  CHECK(parse("a,\"\"") == Rows{{"a", ""}});
}

TEST_CASE("CSV: every line end, the byte order mark, and blank lines") {
  CHECK(parse("\xEF\xBB\xBFq,r\r1,2\r\n3,4\n") == Rows{{"q", "r"}, {"1", "2"}, {"3", "4"}});
  CHECK(parse("\xEF\xBB\xBF\"q\",r\n") == Rows{{"q", "r"}});
  CHECK(parse("\n\na,b\n \t \n\r\n1,2\n\n  ") == Rows{{"a", "b"}, {"1", "2"}});
  CHECK(parse("  a,b\n") == Rows{{"  a", "b"}});
  CHECK(parse("").empty());
}

TEST_CASE("CSV: quotes inside a field are text, as pandas reads them") {
  CHECK(parse("5\" x,\"a\"b\n") == Rows{{"5\" x", "ab"}});
  CHECK(parse(" \"a\",b\n") == Rows{{" \"a\"", "b"}});
}

TEST_CASE("CSV: records know the line they start on") {
  const auto records = parse_csv("h\n\"a\nb\"\n\nc\n", "x.csv");
  REQUIRE(records.size() == 3);
  CHECK(records[1].line == 2);
  CHECK(records[2].line == 5);
}

TEST_CASE("CSV: damage is named with its line") {
  CHECK_THROWS_WITH(parse("a\nb,\"c\nd"), Catch::Contains("x.csv:2: a quote opens"));
  CHECK_THROWS_WITH(parse("a\nb\xFF\n"), Catch::Contains("x.csv:2: found bytes that are not UTF-8"));
  CHECK_THROWS_WITH(parse(std::string_view("a\0b", 3)), Catch::Contains("x.csv:1: found a NUL byte"));
  CHECK_THROWS_AS(parse("\xED\xA0\x80"), FormatError);  // a surrogate
}

}  // namespace
}  // namespace gpqa
