#include <fstream>

#include <nlohmann/json.hpp>

#include "harness/run_folders.h"
#include "tests/catch.h"
#include "tests/harness/shell.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::Shell;

namespace {

const std::string kTiny = shell_quote(GPQA_TEST_DATA "/gemma4/tiny-q4_k_m.gguf");

TEST_CASE("model tokenize: a line in, ids out, and the line again") {
  const Shell gpqa;
  const auto text = gpqa.write("text", "Hello world\n\n  <|turn>user é\n");
  const auto ids = gpqa("model tokenize " + kTiny, text);
  CHECK(ids.code == 0);
  CHECK(ids.err.empty());
  CHECK_THAT(ids.out, Catch::StartsWith("[1326,1355,511,1365,535,501,1362,1354]\n[]\n[138,105,"));
  const auto again = gpqa("model tokenize --decode " + kTiny, gpqa.write("ids", ids.out));
  CHECK(again.code == 0);
  CHECK(again.out == "Hello world\n\n  <|turn>user é\n");
}

TEST_CASE("model tokenize: <bos> and special tokens as asked") {
  const Shell gpqa;
  const auto text = gpqa.write("text", "<turn|>\n");
  CHECK(gpqa("model tokenize " + kTiny, text).out == "[106]\n");
  CHECK(gpqa("model tokenize --add-bos " + kTiny, text).out == "[2,106]\n");
  const auto plain = nlohmann::json::parse(gpqa("model tokenize --no-special " + kTiny, text).out);
  CHECK(plain.size() > 1);
  const auto ids = gpqa.write("ids", "2 106 100\n[2, 106, 100]\n2,106,100\n");
  CHECK(gpqa("model tokenize --decode " + kTiny, ids).out ==
        "<bos><turn|><|channel>\n<bos><turn|><|channel>\n<bos><turn|><|channel>\n");
  CHECK(gpqa("model tokenize --decode --no-special " + kTiny, ids).out ==
        "<|channel>\n<|channel>\n<|channel>\n");
}

TEST_CASE("model tokenize: texts as JSON strings have newlines") {
  const Shell gpqa;
  const auto text = gpqa.write("text", "\"a\\n\\nb\"\n\"\"\n");
  const auto ids = gpqa("model tokenize --json " + kTiny, text);
  CHECK_THAT(ids.out, Contains(",108,"));
  CHECK(gpqa("model tokenize --json --decode " + kTiny, gpqa.write("ids", ids.out)).out ==
        "\"a\\n\\nb\"\n\"\"\n");
}

TEST_CASE(
    "model tokenize: 237 texts through the program have llama.cpp's ids, from a GGUF and from a folder") {
  std::ifstream in(GPQA_TEST_DATA "/gemma4/tokenizer/tiny_vocab_goldens.json");
  const auto cases = nlohmann::json::parse(in)["cases"];
  std::string texts;
  std::string ids;
  for (const auto& golden : cases) {
    texts += golden["text"].dump() + "\n";
    ids += golden["ids_parse_special"].dump() + "\n";
  }
  const Shell gpqa;
  const auto file = gpqa.write("texts", texts);
  CHECK(gpqa("model tokenize --json " + kTiny, file).out == ids);
  CHECK(gpqa("model tokenize --json " + shell_quote(GPQA_TEST_DATA "/gemma4/tiny-hf"), file).out == ids);
}

TEST_CASE("model tokenize: what can't be read exits with 2 and names the line") {
  const Shell gpqa;
  const auto refused = [&](const std::string& arguments, const std::string& input, const std::string& words) {
    const auto result = gpqa("model tokenize " + arguments, gpqa.write("input", input));
    INFO(arguments);
    CHECK(result.code == 2);
    CHECK_THAT(result.err, Contains(words));
  };
  refused("--decode " + kTiny, "2\n2 x\n", "standard input:2: expected ids of tokens like 2,105, found 'x'");
  refused("--decode " + kTiny, "1408\n", "standard input:1: token 1408; the vocabulary has 1408");
  refused("--decode " + kTiny, "99999999999\n", "standard input:1: expected ids");
  refused("--json " + kTiny, "text\n", "standard input:1: expected a text as a JSON string");
  refused("nowhere.gguf", "", "nowhere.gguf");
  refused(".", "", "tokenizer.json");
  refused("--decode --add-bos " + kTiny, "", "--add-bos");
  refused("", "", "FILE");
  CHECK_THAT(gpqa("model tokenize --help").out, Contains("Example"));
}

}  // namespace
