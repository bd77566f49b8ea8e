#include "experts/map_provenance.h"

#include <fstream>

#include "experts/known_maps.h"
#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using Catch::Matchers::Contains;

namespace {

namespace fs = std::filesystem;

MapProvenance sample() {
  return {.map_sha256 = std::string(64, 'a'),
          .calibrated_on = "8 prompts \"x\"\n",
          .on_evaluated_questions = true,
          .criterion = "2*wnorm + tc",
          .experts = 16,
          .sources = {{"expert_neuron_v4.json", std::string(64, 'b'), {"math", "creative"}}}};
}

void put(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string refusal(const std::string& json) {
  try {
    parse_provenance(json, "p.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("where a map comes from is written and read back") {
  CHECK(parse_provenance(provenance_json(sample()), "p.json") == sample());
  MapProvenance bare;
  bare.map_sha256 = std::string(64, '0');
  CHECK(parse_provenance(provenance_json(bare), "p.json") == bare);
}

TEST_CASE("provenance that isn't as it should be is refused") {
  const auto good = provenance_json(sample());
  const auto with = [&](const std::string& from, const std::string& to) {
    auto text = good;
    text.replace(text.find(from), from.size(), to);
    return refusal(text);
  };
  CHECK(refusal(good) == "accepted");
  CHECK_THAT(refusal("[]"), Contains("as an object"));
  CHECK_THAT(with("\"format\": 1", "\"format\": 2"), Contains("another version of gpqa"));
  CHECK_THAT(with("\"criterion\"", "\"criteria\""), Contains("p.json:criterion: expected this key"));
  CHECK_THAT(with("true", "1"), Contains("expected true or false"));
  CHECK_THAT(with("aaaa", "aaa"), Contains("expected a SHA-256"));
  CHECK_THAT(with("\"experts\": 16", "\"experts\": -16"), Contains("expected a number of experts"));
  CHECK_THAT(with("\"experts\": 16", "\"experts\": 99999"), Contains("expected a number up to"));
  CHECK_THAT(with("\"math\"", "3"), Contains("expected an array of names"));
}

TEST_CASE("a map carries where it comes from, and a map that was changed since doesn't") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "m.json";
  const DropMap map{{{1, 2}, {0, 3}}};
  write_traced_map(path, map, sample());
  const auto traced = read_traced_map(path);
  CHECK(traced.map == map);
  CHECK(traced.calibrated_on == sample().calibrated_on);
  CHECK(traced.on_evaluated_questions);
  CHECK(traced.criterion == "2*wnorm + tc");
  CHECK(traced.experts == 16);
  CHECK(traced.known_as.empty());
  CHECK_THROWS_AS(write_traced_map(path, map, sample()), InputError);
  put(path, drop_map_json(DropMap{{{1, 2}, {0, 2}}}));
  CHECK_THROWS_WITH(read_traced_map(path),
                    Contains("is of another map") && Contains("m.json.provenance.json"));
}

TEST_CASE("a map alone is of unknown origin, unless it is a published one") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "m.json";
  put(path, drop_map_json(DropMap{{{1}}}));
  CHECK(read_traced_map(path).calibrated_on.empty());
  CHECK_FALSE(read_traced_map(path).on_evaluated_questions);
  const auto published = read_traced_map(GPQA_TEST_DATA "/experts/teacher_force_98e_p16_clean.json");
  CHECK(published.on_evaluated_questions);
  CHECK(published.known_as == "teacher_force_98e_p16_clean.json (gemma-4-A4B-98e-v3-it)");
  CHECK_THAT(published.calibrated_on, Contains("evaluated GPQA questions"));
  CHECK(published.experts == 128);
}

TEST_CASE("a published map stays contaminated whatever is said beside it") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "98e.json";
  auto said = sample();
  said.on_evaluated_questions = false;
  said.calibrated_on = "prompts about cats";
  write_traced_map(path, known_maps()[0].map, said);
  const auto traced = read_traced_map(path);
  CHECK(traced.on_evaluated_questions);
  CHECK_THAT(traced.calibrated_on, Contains("prompts about cats; the same map as the published one"));
}
