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
  for (const std::string null :
       {"", "NA", "nan", "None", "null", "#N/A N/A", "-1.#QNAN", "\"NULL\"", "<NA>"}) {
    INFO(null);
    CHECK_FALSE(
        load(std::string(kHeader) + "Q?," + null + ",w1,w2,w3,rec1\n").questions[0].correct.has_value());
  }
  for (const std::string text : {"none", " NA", "Nan", "0", "N.A."}) {
    INFO(text);
    CHECK(load(std::string(kHeader) + "Q?," + text + ",w1,w2,w3,rec1\n").questions[0].correct == text);
  }
}

TEST_CASE("columns that share a name, or have none, are named as pandas names them") {
  const auto dataset = load(
      "a,a,,Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3,a\n"
      "1,2,3,Q,c,x,y,z,4\n");
  CHECK(dataset.columns[1] == "a.1");
  CHECK(dataset.columns[2] == "Unnamed: 2");
  CHECK(dataset.columns[8] == "a.2");
}

TEST_CASE("a wrong file is refused in words") {
  CHECK_THROWS_WITH(load_dataset("/nonexistent/gpqa.csv"), Catch::Contains("Idavidrein/gpqa"));
  CHECK_THROWS_WITH(load(""), Catch::Contains("empty"));
  CHECK_THROWS_WITH(load(kHeader), Catch::Contains("no rows"));
  CHECK_THROWS_WITH(load("Question,Answer\nq,a\n"), Catch::Contains("no column \"Correct Answer\""));
  CHECK_THROWS_WITH(load(std::string(kHeader) + "Q?,c,w1,w2\n"),
                    Catch::Contains("row 0 has 4 fields; the header has 6"));
  CHECK_THROWS_WITH(load(std::string(kHeader) + "Q?,c,w1,w2,w3,r,extra\n"),
                    Catch::Contains("row 0 has 7 fields"));
}

}  // namespace
}  // namespace gpqa
