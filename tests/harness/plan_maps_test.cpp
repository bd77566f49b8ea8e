#include "harness/plan_maps.h"

#include "experts/known_maps.h"
#include "experts/map_provenance.h"
#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using Catch::Matchers::Contains;

namespace {

const DropMap kMap{{{1, 2}, {0, 3}}};

struct Maps {
  TemporaryFolder folder;

  // A variant whose map says so much of itself.
  VariantPlan variant(const std::string& calibrated_on, bool evaluated) const {
    MapProvenance said;
    said.calibrated_on = calibrated_on;
    said.on_evaluated_questions = evaluated;
    said.experts = 8;
    VariantPlan variant;
    variant.name = "6e";
    variant.map_file = folder.path() / "m.json";
    write_traced_map(variant.map_file, kMap, said);
    return variant;
  }
};

VariantPlan read_one(VariantPlan variant) {
  Plan plan;
  plan.variants.push_back(std::move(variant));
  read_maps(plan);
  return plan.variants[0];
}

}  // namespace

TEST_CASE("what a map was calibrated on comes with it, without being typed") {
  const Maps maps;
  const auto variant = read_one(maps.variant("evaluated questions", true));
  CHECK(variant.calibrated_on == "evaluated questions");
  CHECK(variant.on_evaluated_questions == true);
  CHECK(variant.experts == 6);
  CHECK(variant.map_sha256 == content_hash(kMap));
  CHECK(variant.map_drops == std::vector<std::string>{"1 2", "0 3"});
}

TEST_CASE("what the plan says of a map stands beside what the map says") {
  const Maps maps;
  auto variant = maps.variant("eight prompts", false);
  CHECK(read_one(variant).on_evaluated_questions == false);
  variant.calibrated_on = "eight prompts";
  CHECK(read_one(variant).calibrated_on == "eight prompts");
  variant.calibrated_on = "math";
  CHECK(read_one(variant).calibrated_on == "math (the map itself says: eight prompts)");
  variant.on_evaluated_questions = true;
  CHECK(read_one(variant).on_evaluated_questions == true);
}

TEST_CASE("a plan that contradicts its map is refused") {
  const Maps maps;
  auto variant = maps.variant("the 198 questions", true);
  variant.on_evaluated_questions = false;
  CHECK_THROWS_WITH(read_one(variant), Contains("variant '6e'") &&
                                           Contains("on_evaluated_questions = false") &&
                                           Contains("the 198 questions"));
  variant.on_evaluated_questions.reset();
  variant.experts = 7;
  CHECK_THROWS_WITH(read_one(variant), Contains("it leaves 6 of 8 experts, but the variant has experts = 7"));
  variant.experts = 6;
  CHECK(read_one(variant).experts == 6);
}

TEST_CASE("a published map is contaminated in every plan that names it") {
  VariantPlan variant;
  variant.name = "98e";
  variant.map_file = GPQA_TEST_DATA "/experts/teacher_force_98e_p16_clean.json";
  variant.calibrated_on = "all categories";
  const auto read = read_one(variant);
  CHECK(read.on_evaluated_questions == true);
  CHECK(read.experts == 98);
  CHECK_THAT(read.calibrated_on,
             Contains("all categories (the map itself says: the evaluated GPQA questions"));
}
