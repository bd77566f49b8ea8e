#include "experts/drop_map.h"

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include <nlohmann/json.hpp>

#include "experts/known_maps.h"
#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "tests/catch.h"

using namespace gpqa;
using Catch::Matchers::Contains;

namespace {

const std::string kFolder = GPQA_TEST_DATA "/experts/";
const std::string kPublished = kFolder + "teacher_force_98e_p16_clean.json";

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string refusal(std::string_view json) {
  try {
    parse_drop_map(json, "map.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

DropMap random_map(std::mt19937& random, std::size_t layers, std::uint32_t experts, std::size_t drops) {
  DropMap map;
  ExpertIds all(experts);
  for (std::uint32_t id = 0; id < experts; ++id) all[id] = id;
  for (std::size_t layer = 0; layer < layers; ++layer) {
    std::shuffle(all.begin(), all.end(), random);
    ExpertIds some(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(drops));
    std::sort(some.begin(), some.end());
    map.dropped.push_back(some);
  }
  return map;
}

}  // namespace

TEST_CASE("the published 98e map is read, and written again byte for byte") {
  const auto map = read_drop_map(kPublished);
  CHECK(map.layers() == 30);
  CHECK(map.drops() == 30);
  CHECK(map.dropped[0][0] == 2);
  CHECK(map.dropped[0].back() == 123);
  CHECK(drop_map_json(map) == text_of(kPublished));
  CHECK(kept(map, 0, 128).size() == 98);
  check_fits(map, kPublished, 30, 128, 8);
}

TEST_CASE("the published 98e map is recognised by its content, however it is written") {
  const auto* known = find_known_map(read_drop_map(kPublished));
  REQUIRE(known != nullptr);
  CHECK(known->file == "teacher_force_98e_p16_clean.json");
  CHECK(known->on_evaluated_questions);
  auto json = nlohmann::ordered_json::parse(text_of(kPublished));
  std::reverse(json["3"].begin(), json["3"].end());
  const auto compact = json.dump();
  CHECK(find_known_map(parse_drop_map(compact, "x")) == known);
  json["3"][0] = json["3"][0] == 5 ? 6 : 5;
  CHECK(find_known_map(parse_drop_map(json.dump(), "x")) == nullptr);
  for (const auto& each : known_maps()) {
    CHECK(content_hash(each.map) == each.content_sha256);
    CHECK(parse_drop_map(drop_map_json(each.map), "x") == each.map);
  }
  CHECK(sha256_hex(text_of(kPublished)) == known->content_sha256);
}

TEST_CASE("what is written is read back, and what is kept is the rest") {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    const auto experts = static_cast<std::uint32_t>(2 + random() % 200);
    const auto map = random_map(random, 1 + random() % 40, experts, 1 + random() % (experts - 1));
    CHECK(parse_drop_map(drop_map_json(map), "x") == map);
    std::vector<ExpertIds> keeps;
    for (std::size_t layer = 0; layer < map.layers(); ++layer) {
      keeps.push_back(kept(map, layer, experts));
      CHECK(std::is_sorted(keeps.back().begin(), keeps.back().end()));
      CHECK(keeps.back().size() + map.drops() == experts);
      CHECK(shared_drops(keeps.back(), map.dropped[layer]) == 0);
    }
    CHECK(map_of_kept(keeps, experts) == map);
  }
}

TEST_CASE("maps nest if and only if every layer's drops lie inside the other's") {
  std::mt19937 random(11);
  const auto big = random_map(random, 6, 64, 20);
  DropMap small;
  for (const auto& ids : big.dropped) small.dropped.emplace_back(ids.begin(), ids.begin() + 9);
  CHECK(nesting(small, big) == Nesting::inside);
  CHECK(nesting(big, small) == Nesting::around);
  CHECK(nesting(big, big) == Nesting::equal);
  for (std::size_t layer = 0; layer < small.layers(); ++layer) {
    auto other = small;
    const auto keeps = kept(big, layer, 64);
    other.dropped[layer][4] = keeps[random() % keeps.size()];
    std::sort(other.dropped[layer].begin(), other.dropped[layer].end());
    CHECK(nesting(other, big) == Nesting::crossing);
    CHECK(nesting(big, other) == Nesting::crossing);
  }
  CHECK(nesting(DropMap{{{1}, {2}}}, DropMap{{{1}}}) == Nesting::crossing);
}

TEST_CASE("a map that isn't one is refused with its place and what was expected") {
  CHECK(refusal(R"({"0":[3,1],"1":[0,2]})") == "accepted");
  CHECK_THAT(refusal(""), Contains("not JSON"));
  CHECK_THAT(refusal("[]"), Contains("expected a drop map"));
  CHECK_THAT(refusal("{}"), Contains("the map is empty"));
  CHECK_THAT(refusal(R"({"0":[1],"0":[1]})"), Contains("layer 0: stands twice"));
  CHECK_THAT(refusal(R"({"0":[1,1]})"), Contains("layer 0: expert 1 stands twice"));
  CHECK_THAT(refusal(R"({"0":[1],"2":[1]})"), Contains("layer 1: is missing"));
  CHECK_THAT(refusal(R"({"1":[1]})"), Contains("layer 0: is missing"));
  CHECK_THAT(refusal(R"({"0":[1],"1":[1,2]})"), Contains("layer 1: drops 2 experts, layer 0 drops 1"));
  CHECK_THAT(refusal(R"({"0":[]})"), Contains("drops no expert"));
  for (const char* id : {"-1", "1.0", "1e2", "\"1\"", "null", "true", "1024", "18446744073709551616", "[1]"})
    CHECK_THAT(refusal(R"({"0":[)" + std::string(id) + "]}"), Contains("map.json"));
  CHECK_THAT(refusal(R"({"0":[-1]})"), Contains("from 0 to 1023, found -1"));
  for (const char* key : {"00", "+1", "-0", "1.0", "", " 0", "512", "99999999999999999999", "layer 0"})
    CHECK_THAT(refusal("{\"" + std::string(key) + "\":[1]}"), Contains("expected layers 0, 1, 2"));
  CHECK_THAT(refusal(R"({"metadata":{},"categories":{}})"), Contains("gpqa experts plan"));
  CHECK_THAT(refusal("{\n\"0\":[NaN]}"), Contains("map.json:2: NaN stands where a number must"));
  CHECK_THAT(refusal(R"({"0":[-Infinity]})"), Contains("-Infinity stands where a number must"));
  CHECK_THAT(refusal(R"({"0":[1]} x)"), Contains("not JSON"));
  CHECK_THAT(refusal("{\"0\":" + std::string(100000, '[')), Contains("not JSON"));
  CHECK_THAT(refusal(R"({"0":)" + std::string(500, '[') + std::string(500, ']') + "}"),
             Contains("expected an expert's id"));
}

TEST_CASE("a map for another model is refused") {
  const DropMap map{{{1, 7}, {0, 3}}};
  const auto misfit = [&](std::size_t layers, std::uint32_t experts, std::optional<std::uint32_t> used) {
    try {
      check_fits(map, "map.json", layers, experts, used);
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(misfit(2, 8, 6).empty());
  CHECK(misfit(2, 8, {}).empty());
  CHECK_THAT(misfit(3, 8, 2), Contains("the map has 2 layers, the model 3"));
  CHECK_THAT(misfit(2, 7, 2), Contains("layer 0: drops expert 7, but the model has experts 0 to 6"));
  CHECK_THAT(misfit(2, 8, 7), Contains("leaves 6 of 8 experts, but the model's router chooses 7"));
}
