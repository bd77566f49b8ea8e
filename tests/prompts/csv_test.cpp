#include "prompts/csv.h"

#include <array>
#include <cstdint>

#include "prompts/input_error.h"
#include "prompts/python_random.h"
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

TEST_CASE("CSV: damage is named with its line and row") {
  CHECK_THROWS_WITH(parse("a\nb,\"c\nd"), Catch::Contains("x.csv:2: row 0: a quote opens"));
  CHECK_THROWS_WITH(parse("a\n1\n\n\"x\ny\",\"c\nd"), Catch::Contains("x.csv:5: row 1: a quote opens"));
  CHECK_THROWS_WITH(parse("a\nb\xFF\n"), Catch::Contains("x.csv:2: row 0: found bytes that are not UTF-8"));
  CHECK_THROWS_WITH(parse("a\n\"\n\xFF\"\n"), Catch::Contains("x.csv:3: row 0: found bytes"));
  CHECK_THROWS_WITH(parse("a\n\"\n\xFF"), Catch::Contains("x.csv:3: row 0: found bytes"));  // not the quote
  CHECK_THROWS_WITH(parse(std::string_view("a\0b", 3)), Catch::Contains("x.csv:1: header: found a NUL byte"));
  CHECK_THROWS_AS(parse("\xED\xA0\x80"), FormatError);  // a surrogate
  CHECK_THROWS_AS(parse("\xFF\xFE"
                        "a\nb"),
                  FormatError);                 // UTF-16
  CHECK_THROWS_AS(parse("\xC3"), FormatError);  // a character cut in half
  CHECK_THROWS_WITH(parse("a,b\r\r,1\r"), Catch::Contains("x.csv:3: row 0: a comma follows a blank line"));
}

TEST_CASE("CSV: absurd sizes are refused before they are allocated") {
  CHECK_THROWS_WITH(parse(std::string(1'000'000, ',')),
                    Catch::Contains("x.csv:1: header: more than 1000000"));
  std::string tall;
  for (int i = 0; i < 1'000'001; ++i) {
    tall += "a\n";
  }
  CHECK_THROWS_WITH(parse(tall), Catch::Contains("x.csv:1000001: row 999999: more than 1000000 cells"));
}

// Any text, made of what the format gives a meaning.
std::string random_text(PythonRandom& random, std::uint32_t most) {
  constexpr std::array<std::string_view, 12> kPieces = {
      "a", "\"", ",", "\n", "\r", "\r\n", " ", "\t", "\"\"", "\u2028", "\xF0\x9F\x98\x80", "b"};
  std::string text;
  for (auto n = random.below(most + 1); n > 0; --n) {
    text += kPieces[random.below(kPieces.size())];
  }
  return text;
}

TEST_CASE("CSV: what is quoted comes back as it was") {
  PythonRandom random(1);
  for (int round = 0; round < 2000; ++round) {
    Rows rows(1 + random.below(4), std::vector<std::string>(1 + random.below(4)));
    const std::string end = std::array{"\n", "\r\n", "\r"}[random.below(3)];
    std::string text = random.below(2) == 0 ? "" : "\xEF\xBB\xBF";
    for (auto& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = random_text(random, 6);
        text += i == 0 ? "\"" : ",\"";
        for (const char c : row[i]) {
          text += c == '"' ? "\"\"" : std::string(1, c);
        }
        text += '"';
      }
      text += &row == &rows.back() && random.below(2) == 0 ? "" : end;
    }
    REQUIRE(parse(text) == rows);
  }
}

TEST_CASE("CSV: any bytes are rows or a FormatError, and no row is empty") {
  PythonRandom random(2);
  int read = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string text = random_text(random, 20);
    if (!text.empty() && random.below(4) == 0) {
      text[random.below(static_cast<std::uint32_t>(text.size()))] = static_cast<char>(random.below(256));
    }
    try {
      for (const auto& record : parse_csv(text, "x.csv")) {
        REQUIRE_FALSE(record.fields.empty());
        REQUIRE(record.line <= 1 + text.size());
      }
      ++read;
    } catch (const FormatError& error) {
      REQUIRE(std::string_view(error.what()).starts_with("x.csv:"));
    }
  }
  CHECK(read > 2000);  // both ways are walked
  CHECK(read < 18000);
}

}  // namespace
}  // namespace gpqa
