#include "prompts/dataset.h"

#include <fstream>
#include <unistd.h>

#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

// A file that is gone when the test ends.
struct TemporaryFile {
  explicit TemporaryFile(std::string_view text)
      : path(std::filesystem::temp_directory_path() / ("gpqa-dataset-" + std::to_string(getpid()) + ".csv")) {
    std::ofstream(path, std::ios::binary) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::filesystem::path path;
};

constexpr std::string_view kHeader =
    "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,Record ID\n";

Dataset load(std::string_view text) {
  const TemporaryFile file(text);
  return load_dataset(file.path);
}

TEST_CASE("a data set knows its bytes, columns and rows") {
  const std::string text = std::string(kHeader) + "Q?,right,w1,w2,w3,rec1\n";
  const auto dataset = load(text);
  CHECK(dataset.sha256 == sha256_hex(text));
  CHECK(dataset.columns.size() == 6);
  REQUIRE(dataset.questions.size() == 1);
  CHECK(dataset.questions[0].record_id == "rec1");
  CHECK(dataset.questions[0].correct == "right");
  CHECK(dataset.questions[0].incorrect[2] == "w3");
  CHECK(dataset.questions[0].domain.empty());
}

TEST_CASE("what pandas calls null is null, quoted or not, and nothing else is") {
  const auto correct = [](const std::string& cell) {
    return load(std::string(kHeader) + "Q?," + cell + ",w1,w2,w3,rec1\n").questions[0].correct;
  };
  for (const std::string null :
       {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
        "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}) {
    INFO(null);
    CHECK_FALSE(correct(null).has_value());
    CHECK_FALSE(correct('"' + null + '"').has_value());
    CHECK(correct(null + ' ') == null + ' ');
  }
  for (const std::string text : {"none", "Nan", "NAN", "Null", "na", "<na>", "0", "N.A.", "inf", "-"}) {
    INFO(text);
    CHECK(correct(text) == text);
  }
}

TEST_CASE("columns that share a name, or have none, are named as pandas names them") {
  const std::string needed =
      ",Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3";
  const auto names = [&](const std::string& header, std::size_t columns) {
    std::string row = "1";
    for (std::size_t i = 1; i < columns + 5; ++i) {
      row += ",1";
    }
    auto all = load(header + needed + "\n" + row + "\n").columns;
    all.resize(columns);
    return all;
  };
  // From pandas 3.1.1.
  using Names = std::vector<std::string>;
  CHECK(names("a,a,a", 3) == Names{"a", "a.1", "a.2"});
  CHECK(names("a,a,a.1", 3) == Names{"a", "a.2", "a.1"});
  CHECK(names("a,a,a.1,a,a.1,a.1.1", 6) == Names{"a", "a.2", "a.1", "a.3", "a.1.2", "a.1.1"});
  CHECK(names("a,,\"\"", 3) == Names{"a", "Unnamed: 1", "Unnamed: 2"});
  CHECK(names(",Unnamed: 0,", 3) == Names{"Unnamed: 0.1", "Unnamed: 0", "Unnamed: 2"});
  CHECK(names("Unnamed: 2,x,,Unnamed: 2", 4) == Names{"Unnamed: 2", "x", "Unnamed: 2.2", "Unnamed: 2.1"});
  CHECK(names(" a,a ,a", 3) == Names{" a", "a ", "a"});
}

TEST_CASE("a second column of a known name is not read in its place") {
  const auto dataset = load(
      "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,Question\n"
      "first,c,x,y,z,second\n");
  CHECK(dataset.questions[0].text == "first");
  CHECK(dataset.columns[5] == "Question.1");
}

TEST_CASE("a wrong file is refused in words") {
  CHECK_THROWS_WITH(load_dataset("/nonexistent/gpqa.csv"), Catch::Contains("gpqa dataset fetch"));
  CHECK_THROWS_WITH(load_dataset(std::filesystem::temp_directory_path()), Catch::Contains("is a directory"));
  CHECK_THROWS_WITH(load(std::string((64u << 20) + 1, 'x')), Catch::Contains("more than 64 MiB"));
  CHECK_THROWS_WITH(load(""), Catch::Contains("empty"));
  CHECK_THROWS_WITH(load(kHeader), Catch::Contains("no rows"));
  CHECK_THROWS_WITH(load("Question,Answer\nq,a\n"), Catch::Contains("no column \"Correct Answer\""));
  CHECK_THROWS_WITH(load(std::string(kHeader) + "Q?,c,w1,w2\n"),
                    Catch::Contains(".csv:2: row 0 has 4 fields; the header has 6"));
  CHECK_THROWS_WITH(load(std::string(kHeader) + "Q?,c,w1,w2,w3,r,extra\n"),
                    Catch::Contains("row 0 has 7 fields"));
}

}  // namespace
}  // namespace gpqa
