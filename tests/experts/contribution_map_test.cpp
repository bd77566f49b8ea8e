#include "experts/contribution_map.h"

#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;

namespace {

using Json = nlohmann::ordered_json;

const std::string kTiny = GPQA_TEST_DATA "/experts/tiny_expert_neuron_v4.json";

// Two layers of three experts, two categories.
Json sample() {
  return Json::parse(R"({
    "metadata": {"model": "m", "num_layers": 2, "num_experts": 3, "intermediate_size": 2, "categories": {"a": 4, "b": 1}},
    "categories": {
      "a": {"0": [{"id": 0, "wnorm": 1.5, "rnorm": 3.0, "wsum": 0.5, "tc": 8, "cc": 2, "neuron_act": [0.5, 1e-3]},
                  {"id": 1, "wnorm": 0.0, "rnorm": 0.0, "wsum": 0.0, "tc": 0, "cc": 0, "neuron_act": [0.0, 0.0]},
                  {"id": 2, "wnorm": 2, "rnorm": 4, "wsum": 1, "tc": 4, "cc": 4, "neuron_act": [1, 2]}],
            "1": [{"id": 2, "wnorm": 1.0, "rnorm": 1.0, "wsum": 1.0, "tc": 1, "cc": 1},
                  {"id": 0, "wnorm": 2.0, "rnorm": 1.0, "wsum": 1.0, "tc": 1, "cc": 1}]},
      "b": {"0": [{"id": 0, "wnorm": 1.0, "rnorm": 1.0, "wsum": 1.0, "tc": 1, "cc": 1}],
            "1": []}}})");
}

std::string refusal(const std::string& json) {
  try {
    parse_contributions(json, "map.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// Another place of the same document.
Json& expert0(Json& json) {
  return json["categories"]["a"]["0"][0];
}

}  // namespace

TEST_CASE("the tiny model's contribution map is read as Python's json reads it") {
  const auto map = read_contributions(kTiny);
  const auto json = Json::parse(contents(kTiny));
  CHECK(map.model == "tiny");
  CHECK(map.layers == 6);
  CHECK(map.experts == 16);
  CHECK(map.experts_said);
  CHECK_FALSE(map.questions);
  CHECK_FALSE(map.per_prompt());
  CHECK(map.has_token_sums);
  CHECK(map.unlisted == 0);
  REQUIRE(map.parts.size() == 2);
  for (const auto& part : map.parts) {
    CHECK(part.prompts == 4);
    REQUIRE(part.entries.size() == 96);
    for (const auto& [layer, expert, sums] : part.entries) {
      const auto& theirs = json["categories"][part.name][std::to_string(layer)][expert];
      CHECK(theirs["id"] == expert);
      CHECK(sums.wnorm == theirs["wnorm"].get<double>());
      CHECK(sums.rnorm == theirs["rnorm"].get<double>());
      CHECK(sums.wsum == theirs["wsum"].get<double>());
      CHECK(sums.tc == theirs["tc"].get<double>());
      CHECK(sums.cc == theirs["cc"].get<double>());
      CHECK(sums.token_wnorm == theirs["token_wnorm_sum"].get<double>());
      CHECK(sums.token_rnorm == theirs["token_rnorm_sum"].get<double>());
    }
  }
}

// The fixture's own sums over every token, by other code.
TEST_CASE("the tiny model's sums over tokens are those of its contributions") {
  const auto map = read_contributions(kTiny);
  const auto json = Json::parse(contents(GPQA_TEST_DATA "/experts/tiny_contrib.json"));
  for (std::uint32_t layer = 0; layer < 6; ++layer)
    for (std::uint32_t expert = 0; expert < 16; ++expert) {
      ExpertSums sums;
      for (const auto& part : map.parts) sums.add(part.entries[layer * 16 + expert].sums);
      CHECK(sums.tc == json["counts"][layer][expert].get<double>());
      // Both are sums of about 500 float32 norms: 1e-5 is a hundred times their rounding.
      CHECK(sums.token_wnorm == Approx(json["norm_sum"][layer][expert].get<double>()).epsilon(1e-5));
    }
}

TEST_CASE("keys may stand in any order, experts may be left out, other keys are passed over") {
  auto json = sample();
  const auto whole = parse_contributions(json.dump(), "m");
  CHECK(whole.unlisted == 6);
  CHECK(whole.parts[0].entries.size() == 5);
  CHECK(whole.parts[0].entries[3].expert == 0);  // sorted
  Json turned;
  turned["other"] = {{"NaN", "Infinity"}, {"deep", {{{1, 2}}}}};
  turned["categories"] = json["categories"];
  turned["metadata"] = json["metadata"];
  turned["categories"]["a"]["0"][0]["new"] = Json::array({1, {{"x", 2}}});
  const auto other = parse_contributions(turned.dump(3), "m");
  CHECK(other.parts[0].prompts == 4);
  CHECK(other.parts[0].entries[0].sums.wnorm == 1.5);
  CHECK(other.unlisted == 6);
  // Without metadata, and with names only, as later versions write it.
  json["metadata"] = {{"categories", {"a", "b"}}};
  const auto bare = parse_contributions(json.dump(), "m");
  CHECK(bare.experts == 3);
  CHECK_FALSE(bare.experts_said);
  CHECK_FALSE(bare.parts[0].prompts.has_value());
}

TEST_CASE("sums over tokens are taken from blocks where the map has no better") {
  const auto map = parse_contributions(sample().dump(), "m");
  CHECK_FALSE(map.has_token_sums);
  // 2 prompts of 4 tokens: sqrt(8/2) times the sum of norms.
  CHECK(map.parts[0].entries[0].sums.token_wnorm == Approx(3.0));
  CHECK(map.parts[0].entries[0].sums.token_rnorm == Approx(6.0));
  CHECK(map.parts[0].entries[1].sums.token_wnorm == 0);
}

TEST_CASE("a per-question map: questions may leave out layers and experts, and say more of themselves") {
  const auto map = parse_contributions(R"({"questions": {
    "q1": {"0": [{"id": 5, "wnorm": 2.5, "rnorm": 4, "tc": 9}], "correct": true, "words": {"0": 1}},
    "q2": {"1": [{"id": 0, "wnorm": 1.0, "rnorm": 1, "tc": 0}]}}})",
                                       "q.json");
  CHECK(map.questions);
  CHECK(map.per_prompt());
  CHECK(map.layers == 2);
  CHECK(map.experts == 6);
  CHECK(map.parts[0].entries[0].sums.cc == 1);  // a question is one prompt
  CHECK(map.parts[0].entries[0].sums.token_wnorm == Approx(7.5));
  CHECK(map.parts[1].entries[0].sums.cc == 0);
}

TEST_CASE("a NaN-poisoned map is an error that names category, layer, expert and field") {
  const auto good = sample().dump();
  REQUIRE(refusal(good) == "accepted");
  for (const std::string word : {"NaN", "Infinity", "-Infinity"}) {
    const auto bad = refusal(replaced(good, "\"wnorm\":2.0", "\"wnorm\":" + word));
    CHECK_THAT(bad, Contains("category 'a', layer 1, expert 0, field 'wnorm'"));
    CHECK_THAT(bad, Contains(word + " stands where a number must") && Contains("NaN-poisoned"));
    CHECK_THAT(refusal(replaced(good, "[0.5,0.001]", "[0.5," + word + "]")),
               Contains("expert 0, field 'neuron_act': " + word));
    CHECK_THAT(refusal(replaced(good, "\"tc\":8", "\"tc\":" + word)), Contains("field 'tc': " + word));
  }
  CHECK_THAT(refusal(replaced(good, "\"wnorm\":1.5", "\"wnorm\":1e999")), Contains("field 'wnorm'"));
}

TEST_CASE("what isn't a contribution map is refused with its place") {
  const auto with = [](auto&& change) {
    auto json = sample();
    change(json);
    return refusal(json.dump());
  };
  CHECK_THAT(refusal(""), Contains("map.json"));
  CHECK_THAT(refusal("[1]"), Contains("expected a contribution map"));
  CHECK_THAT(refusal("{}"), Contains("neither 'categories' nor 'questions'"));
  CHECK_THAT(refusal(R"({"categories":{}})"), Contains("'categories' is empty"));
  CHECK_THAT(refusal(R"({"categories":{"a":{}}})"), Contains("no expert is listed"));
  CHECK_THAT(refusal(R"({"0":[1,2]})"), Contains("neither"));
  CHECK_THAT(with([](Json& j) { j["questions"] = j["categories"]; }), Contains("stands twice"));
  CHECK_THAT(with([](Json& j) { expert0(j)["id"] = 2; }),
             Contains("layer 0, expert 2: stands twice in the layer"));
  CHECK_THAT(with([](Json& j) { expert0(j)["id"] = 3; }),
             Contains("expert 3: but metadata.num_experts is 3"));
  CHECK_THAT(with([](Json& j) { expert0(j)["id"] = -1; }),
             Contains("field 'id': expected a whole number from 0"));
  CHECK_THAT(with([](Json& j) { expert0(j)["id"] = 1.0; }), Contains("field 'id'"));
  CHECK_THAT(with([](Json& j) { expert0(j)["id"] = 4000000000; }), Contains("field 'id'"));
  CHECK_THAT(with([](Json& j) { expert0(j).erase("id"); }), Contains("has no 'id'"));
  CHECK_THAT(with([](Json& j) { expert0(j).erase("wnorm"); }),
             Contains("expert 0, field 'wnorm': is missing"));
  CHECK_THAT(with([](Json& j) { expert0(j).erase("tc"); }), Contains("field 'tc': is missing"));
  CHECK_THAT(with([](Json& j) { expert0(j)["tc"] = 1.5; }), Contains("field 'tc': expected a whole number"));
  CHECK_THAT(with([](Json& j) { expert0(j)["tc"] = -1; }), Contains("field 'tc': expected a whole number"));
  CHECK_THAT(with([](Json& j) { expert0(j)["wnorm"] = -0.5; }),
             Contains("expected a number from 0 to 1e100, found -0.5"));
  CHECK_THAT(with([](Json& j) { expert0(j)["wnorm"] = "x"; }),
             Contains("expected a number from 0 to 1e100, found \"x\""));
  CHECK_THAT(with([](Json& j) { expert0(j)["rnorm"] = nullptr; }),
             Contains("field 'rnorm'") && Contains("null"));
  CHECK_THAT(with([](Json& j) { expert0(j)["neuron_act"] = {1}; }),
             Contains("1 numbers, but metadata.intermediate_size is 2"));
  CHECK_THAT(with([](Json& j) { expert0(j)["neuron_act"] = 1; }), Contains("expected a list of numbers"));
  CHECK_THAT(with([](Json& j) { j["categories"]["a"]["0"][0] = 1; }), Contains("expected an expert"));
  CHECK_THAT(with([](Json& j) { j["categories"]["a"]["0"] = 1; }), Contains("list of the layer's experts"));
  CHECK_THAT(with([](Json& j) { j["categories"]["a"] = 1; }), Contains("its layers, as an object"));
  CHECK_THAT(with([](Json& j) { j["categories"]["a"].erase("0"); }),
             Contains("category 'a': layer 0 is missing"));
  CHECK_THAT(with([](Json& j) { j["categories"]["a"].erase("1"); }),
             Contains("has 1 layers, but metadata.num_layers is 2"));
  CHECK_THAT(with([](Json& j) { j["categories"]["a"]["x"] = 1; }), Contains("expected layers 0, 1, 2"));
  CHECK_THAT(with([](Json& j) { j["metadata"]["num_layers"] = 3; }), Contains("metadata.num_layers is 3"));
  CHECK_THAT(with([](Json& j) { j["metadata"]["num_layers"] = 1e9; }), Contains("metadata.num_layers"));
  CHECK_THAT(with([](Json& j) { j["metadata"]["num_experts"] = 0; }), Contains("metadata.num_experts"));
  CHECK_THAT(with([](Json& j) { j["metadata"]["categories"]["c"] = 1; }), Contains("names category 'c'"));
  const auto good = sample().dump();
  CHECK_THAT(refusal(replaced(good, "\"b\":{\"0\"", "\"a\":{\"0\"")), Contains("category 'a': stands twice"));
  CHECK_THAT(refusal(replaced(good, "\"1\":[{", "\"0\":[{")), Contains("layer 0: stands twice"));
  CHECK_THAT(refusal(replaced(good, "\"tc\":8", "\"tc\":8,\"tc\":9")), Contains("field 'tc': stands twice"));
  CHECK_THAT(refusal(good + "x"), Contains("map.json"));
  CHECK_THAT(refusal(good + " {}"), Contains("map.json"));
}

TEST_CASE("a contribution map cut short anywhere is refused") {
  const auto good = sample().dump();
  for (std::size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(refusal(good.substr(0, size)) != "accepted");
  }
}

TEST_CASE("absurd depth is refused, or passed over where nobody looks") {
  const std::string deep(200000, '[');
  CHECK_THAT(refusal(R"({"categories":)" + deep), Contains("map.json"));
  CHECK_THAT(refusal(R"({"categories":{"a":{"0":)" + deep + std::string(200000, ']') + "}}}"),
             Contains("map.json"));
  refusal(R"({"other":)" + deep + std::string(200000, ']') + "}");
  refusal(R"({"other":)" + deep);
}

// Of a whole number of pages, the file has no byte behind it that could be read by accident.
TEST_CASE("a file that fills its pages is read") {
  const TemporaryFolder folder;
  auto text = sample().dump();
  text.insert(1, std::string(8192 - text.size(), ' '));
  std::ofstream(folder.path() / "m.json") << text;
  CHECK(read_contributions(folder.path() / "m.json").experts == 3);
}
