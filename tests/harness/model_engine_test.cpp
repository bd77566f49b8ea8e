// The commands that ask a model inside the program.
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/harness/shell.h"

using Catch::Matchers::Contains;
using gpqa_test::Shell;
using Json = nlohmann::json;

namespace {

const std::string kTiny = GPQA_TEST_DATA "/gemma4/tiny-bf16.gguf";

}  // namespace

TEST_CASE("gpqa model logits prints what transformers says") {
  const Shell gpqa;
  const auto golden = Json::parse(std::ifstream(GPQA_TEST_DATA "/gemma4/golden/hf.short.json"));
  std::string ids;
  for (const auto& id : golden.at("ids")) ids += (ids.empty() ? "" : ",") + id.dump();
  const auto last = gpqa("model logits " + kTiny + " --arithmetic float32 --tokens " + ids);
  INFO(last.err);
  REQUIRE(last.code == 0);
  const auto json = Json::parse(last.out);
  CHECK(json.at("n") == 25);
  CHECK(json.at("vocab") == 1408);
  REQUIRE(json.at("logits").size() == 1);
  for (std::size_t i = 0; i < 1408; ++i)
    CHECK(std::abs(json.at("logits")[0][i].get<double>() - golden.at("last_logits")[i].get<double>()) < 5e-5);
  CHECK(gpqa("model logits --tokens '[2, 885]' " + kTiny).out ==
        gpqa("model logits " + kTiny + " --tokens 2 885").out);
  const auto all =
      gpqa("model logits " GPQA_TEST_DATA "/gemma4/tiny-hf --all --threads 1 --arithmetic float32 --tokens " +
           ids);
  REQUIRE(all.code == 0);
  CHECK(Json::parse(all.out).at("logits").size() == 25);
  CHECK(Json::parse(all.out).at("logits")[24] == json.at("logits")[0]);
}

TEST_CASE("a prompt's file is read with <bos> before it") {
  const Shell gpqa;
  const auto file = gpqa.write("p.txt", "the");
  const auto from_text = gpqa("model logits " + kTiny + " --prompt-file " + file);
  const auto ids = gpqa("model tokenize --add-bos " + kTiny, file).out;
  CHECK(from_text.out == gpqa("model logits " + kTiny + " --tokens " + ids.substr(1, ids.find(']') - 1)).out);
}

TEST_CASE("what a model can't be asked is said") {
  const Shell gpqa;
  const auto refused = [&](const std::string& arguments, const std::string& words) {
    const auto result = gpqa("model " + arguments);
    INFO(arguments << "\n" << result.err);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, Contains(words));
  };
  refused("logits " + kTiny, "--tokens");
  refused("logits " + kTiny + " --tokens 2,1408", "token 1408: the vocabulary ends at 1407");
  refused("logits " + kTiny + " --tokens -1", "-1");
  refused("logits " + kTiny + " --tokens ''", "which tokens?");
  refused("logits " + kTiny + " --tokens 2,,3", "expected ids of tokens like 2,105, found ',3'");
  refused("logits " + kTiny + " --tokens 2,", "nothing after a comma");
  refused("logits " + kTiny + " --tokens 2,x", "found 'x'");
  refused("logits " + kTiny + " --tokens 99999999999", "found '99999999999'");
  refused("logits none.gguf --tokens 2", "no such file");
  refused("logits " + kTiny + " --prompt-file none.txt", "none.txt");
  refused("kld " + kTiny + " " + kTiny, "--text");
  refused("kld " + kTiny + " " + kTiny + " --text " + gpqa.write("empty.txt", ""), "no text");
}

TEST_CASE("gpqa model kld: nothing between a model and itself, something to its rounded weights") {
  const Shell gpqa;
  const auto readme = std::string(GPQA_SOURCE_DIR "/README.md");
  const auto compare = [&](const std::string& second) {
    const auto result =
        gpqa("model kld " + kTiny + " " + second + " --limit 1 --format json --text " + readme);
    INFO(result.err);
    REQUIRE(result.code == 0);
    return Json::parse(result.out);
  };
  const auto same = compare(GPQA_TEST_DATA "/gemma4/tiny-hf");
  CHECK(same.at("kl").at("mean") == 0);
  CHECK(same.at("same_top").at("mean") == 1);
  CHECK(same.at("tokens") == 511);
  const auto rounded = compare(GPQA_TEST_DATA "/gemma4/tiny-q4_k_m.gguf");
  CHECK(rounded.at("kl").at("mean") > 0.01);
  CHECK(rounded.at("kl").at("mean") < 1);
  CHECK(rounded.at("nll_first") == same.at("nll_first"));
  const auto text =
      gpqa("model kld " + kTiny + " " GPQA_TEST_DATA "/gemma4/tiny-q8_0.gguf --limit 1 --text " + readme);
  CHECK_THAT(text.out,
             Contains("511 tokens of 1 texts") && Contains("KL(A, B)") && Contains("fewer than ten"));
}

TEST_CASE(
    "gpqa model bench measures a row for each number of slots, with the kernels it is told, and its "
    "operations") {
  const Shell gpqa;
  const std::string bench = "model bench " GPQA_TEST_DATA "/gemma4/tiny-q8_0.gguf -p 8 -n 3 --threads 2 ";
  const auto result = gpqa(bench + "--slots 1,2 --kernels portable --operations --json");
  INFO(result.err);
  REQUIRE(result.code == 0);
  const auto json = Json::parse(result.out);
  CHECK(json.at("kernels") == "portable");
  CHECK(json.at("threads") == 2);
  REQUIRE(json.at("decode").size() == 2);
  CHECK(json.at("decode")[0].at("experts") == 4);
  CHECK(json.at("decode")[1].at("slots") == 2);
  CHECK(json.at("decode")[1].at("tokens_per_s") > 0);
  CHECK(json.at("prompt").at("operations").size() > 10);
  for (const auto& row : json.at("decode")) {
    double seconds = 0;
    double bytes = 0;
    for (const auto& op : row.at("operations")) {
      seconds += op.at("seconds").get<double>();
      bytes += op.at("bytes").get<double>() / 3;
    }
    CHECK(seconds > 0);
    CHECK(seconds <= row.at("mean_s").get<double>() * 3);
    // All but the vectors. The counted steps are the timed ones once more: the same experts.
    const double counted = row.at("weight_bytes").get<double>() + row.at("kv_bytes").get<double>();
    CHECK(bytes < counted);
    CHECK(bytes > 0.9 * counted);
  }
  CHECK_THAT(gpqa(bench + "--slots 1").out, Contains("1 slot ") && Contains("then 3 steps"));
  const auto refused = gpqa(bench + "--kernels fast");
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, Contains("this processor runs portable") && Contains("'fast'"));
  CHECK(gpqa(bench + "--slots 0").code == 2);
}
