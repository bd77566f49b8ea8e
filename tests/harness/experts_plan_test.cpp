#include <algorithm>
#include <filesystem>
#include <random>

#include <nlohmann/json.hpp>

#include "experts/drop_map.h"
#include "experts/map_provenance.h"
#include "prompts/sha256.h"
#include "tests/catch.h"
#include "tests/harness/shell.h"

using namespace gpqa_test;
using Catch::Matchers::Contains;

namespace {

namespace fs = std::filesystem;

const std::string kExperts = GPQA_TEST_DATA "/experts/";
const std::string kTiny = kExperts + "tiny_expert_neuron_v4.json";

// Three questions over two layers of four experts.
const std::string kQuestions = R"({"questions": {
  "q1": {"0": [{"id":0,"wnorm":9,"rnorm":9,"tc":9},{"id":1,"wnorm":1,"rnorm":1,"tc":1},{"id":2,"wnorm":5,"rnorm":5,"tc":5},{"id":3,"wnorm":4,"rnorm":4,"tc":4}],
         "1": [{"id":0,"wnorm":1,"rnorm":1,"tc":1},{"id":1,"wnorm":9,"rnorm":9,"tc":9},{"id":2,"wnorm":8,"rnorm":8,"tc":8},{"id":3,"wnorm":7,"rnorm":7,"tc":7}]},
  "q2": {"0": [{"id":0,"wnorm":9,"rnorm":9,"tc":9},{"id":1,"wnorm":6,"rnorm":6,"tc":6}]},
  "q3": {"0": [{"id":2,"wnorm":1,"rnorm":1,"tc":1}], "1": [{"id":3,"wnorm":2,"rnorm":2,"tc":2}]}}})";

}  // namespace

TEST_CASE("experts plan writes a map in the author's format, with where it comes from") {
  const Shell gpqa;
  const auto result = gpqa("experts plan " + kTiny + " --keep 12 --out 12e.json");
  INFO(result.err);
  REQUIRE(result.code == 0);
  const auto map = gpqa::read_drop_map(gpqa.folder.path() / "12e.json");
  CHECK(map.layers() == 6);
  CHECK(map.drops() == 4);
  CHECK(contents(gpqa.folder.path() / "12e.json") == gpqa::drop_map_json(map));
  CHECK_THAT(result.out, Contains("drops 4 of 16 experts in each of 6 layers, keeps 12"));
  CHECK_THAT(result.out, Contains("2*wnorm + tc; the lowest 4 of 16 in each layer go"));
  CHECK_THAT(result.out, Contains("math (4 prompts), creative (4 prompts)"));
  const auto beside = gpqa.folder.path() / "12e.json.provenance.json";
  const auto said = gpqa::parse_provenance(contents(beside), beside);
  CHECK(said.map_sha256 == gpqa::sha256_hex(contents(gpqa.folder.path() / "12e.json")));
  CHECK(said.experts == 16);
  CHECK_FALSE(said.on_evaluated_questions);
  REQUIRE(said.sources.size() == 1);
  CHECK(said.sources[0].sha256 == gpqa::sha256_hex(contents(kTiny)));
  CHECK(said.sources[0].used == std::vector<std::string>{"math", "creative"});
  // Never over what is there.
  const auto again = gpqa("experts plan " + kTiny + " --keep 12 --out 12e.json");
  CHECK(again.code == 2);
  CHECK_THAT(again.err, Contains("is there already"));
  // The same to standard output.
  const auto printed = gpqa("experts plan " + kTiny + " --keep 12");
  CHECK(printed.code == 0);
  CHECK(printed.out == gpqa::drop_map_json(map) + "\n");
  CHECK_THAT(printed.err, Contains("drops 4 of 16"));
}

TEST_CASE("experts plan says that protection by the same score changes nothing, and protects by another") {
  const Shell gpqa;
  const auto plain = gpqa("experts plan " + kTiny + " --keep 8");
  const auto same = gpqa("experts plan " + kTiny + " --keep 8 --protect 5");
  CHECK(same.out == plain.out);
  CHECK_THAT(same.err, Contains("the top 5 by the same score: changes nothing"));
  const auto other = gpqa("experts plan " + kTiny + " --keep 8 --criterion tc --protect 8 --protect-by reap");
  REQUIRE(other.code == 0);
  CHECK_THAT(other.err, Contains("the top 8 by reap: ") && Contains("that tc would have dropped stay"));
  CHECK(other.out == gpqa("experts plan " + kTiny + " --keep 8 --criterion reap").out);
  CHECK_THAT(gpqa("experts plan " + kTiny + " --keep 8 --protect-by tc").err,
             Contains("--protect N how many"));
}

TEST_CASE("experts plan explains borders, stability and nesting") {
  const Shell gpqa;
  gpqa.write("q.json", kQuestions);
  const auto result =
      gpqa("experts plan q.json --keep 2 --out 2e.json --explain --calibrated-on 'three questions'");
  INFO(result.err);
  REQUIRE(result.code == 0);
  // 2*9+9+2*9+9 = 54, 3+18 = 21, 15+3 = 18, 12: experts 2 and 3 go; the border is 21 against 18.
  CHECK_THAT(result.out, Contains("| 0 | 1 | 21 | 2 | 18 | 14.3% | - |"));
  CHECK_THAT(result.out, Contains("Prompts drawn anew 200 times"));
  CHECK_THAT(result.out, Contains("calibrated on three questions"));
  CHECK_THAT(result.out, Contains("doesn't say how many experts a layer has: 4"));
  CHECK(gpqa("experts plan q.json --keep 2 --out again.json --explain").code == 0);
  const auto nested = gpqa("experts plan q.json --keep 3 --explain --against 2e.json");
  CHECK_THAT(nested.err, Contains("| 2e.json | 2 | 1.0 | 0.5 | 2 of 2 | these drops lie inside its drops |"));
  CHECK_THAT(gpqa("experts plan " + kTiny + " --keep 12 --explain").err,
             Contains("How stable the border is"));
}

TEST_CASE("contamination is carried by the map: experts plan, then every plan that names the map") {
  const Shell gpqa;
  gpqa.write("q.json", kQuestions);
  const auto unsaid = gpqa("experts plan q.json --keep 2");
  CHECK_THAT(unsaid.err, Contains("calibrated on not said") && Contains("--on-evaluated-questions"));
  const auto result = gpqa("experts plan q.json --keep 2 --out 2e.json --on-evaluated-questions");
  CHECK_THAT(result.out, Contains("contaminated"));
  const auto traced = gpqa::read_traced_map(gpqa.folder.path() / "2e.json");
  CHECK(traced.on_evaluated_questions);
  CHECK(traced.calibrated_on == "evaluated questions (q.json)");
}

TEST_CASE("experts plan merges maps by sum and by rank") {
  const Shell gpqa;
  gpqa.write("q.json", kQuestions);
  const auto one = gpqa("experts plan q.json --keep 2");
  CHECK(gpqa("experts plan q.json q.json --keep 2").out == one.out);
  CHECK(gpqa("experts plan q.json q.json --keep 2 --merge rank").out == one.out);
  CHECK_THAT(gpqa("experts plan q.json " + kTiny + " --keep 2").err,
             Contains("maps of one model can be merged"));
}

TEST_CASE("experts plan names what is wrong") {
  const Shell gpqa;
  const auto error = [&](const std::string& arguments) {
    const auto result = gpqa("experts plan " + arguments);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    return result.err;
  };
  CHECK_THAT(error("absent.json --keep 2"), Contains("absent.json: No such file"));
  CHECK_THAT(error(kTiny), Contains("--keep"));
  CHECK_THAT(error(kTiny + " --keep 16"), Contains("expected 1 to 15"));
  CHECK_THAT(error(kTiny + " --keep -1"), Contains("--keep"));
  CHECK_THAT(error(kTiny + " --keep 3 --top-k 4"), Contains("router chooses 4"));
  CHECK_THAT(error(kTiny + " --keep 12 --criterion norm"), Contains("expected one of wnorm+tc"));
  CHECK_THAT(error(kTiny + " --keep 12 --merge max"), Contains("expected sum or rank"));
  CHECK_THAT(error(kTiny + " --keep 12 --categories maths"), Contains("has no category 'maths'"));
  auto text = contents(kTiny);
  const auto at =
      text.find("\"wnorm\": ", text.find("\"creative\"", text.find("\"categories\": {\"math\": {")));
  text.replace(at, text.find(',', at) - at, "\"wnorm\": NaN");
  gpqa.write("nan.json", text);
  CHECK_THAT(error("nan.json --keep 12"),
             Contains("category 'creative', layer 0, expert 0, field 'wnorm': NaN"));
}

TEST_CASE("experts plan on damaged maps: an error, or a plan, but never a crash") {
  const Shell gpqa;
  const auto good = contents(kTiny);
  std::mt19937 random(17);
  for (int round = 0; round < 25; ++round) {
    auto damaged = good;
    for (int i = 0; i < 3; ++i) damaged[random() % damaged.size()] = static_cast<char>(random() % 256);
    if (round % 3 == 0) damaged.resize(random() % damaged.size());
    gpqa.write("damaged.json", damaged);
    const auto result = gpqa("experts plan damaged.json --keep 12");
    INFO(result.err);
    CHECK((result.code == 0 || result.code == 2));
    if (result.code == 0) CHECK(gpqa::parse_drop_map(result.out, "x").drops() == 4);
  }
}

TEST_CASE("experts plan --help teaches the criteria") {
  const Shell gpqa;
  const auto help = gpqa("experts plan --help");
  CHECK(help.code == 0);
  CHECK_THAT(help.out, Contains("alpha * wnorm + tc") && Contains("REAP") && Contains("norm * sqrt(tc/cc)"));
  CHECK_THAT(gpqa("experts --help").out, Contains("plan") && Contains("findings"));
  CHECK_THAT(gpqa("experts plam x").err, Contains("plan"));
}
