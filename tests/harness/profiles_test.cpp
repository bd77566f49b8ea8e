#include "harness/profiles.h"

#include <algorithm>

#include <fmt/format.h>

#include "harness/sampling_fields.h"
#include "prompts/input_error.h"
#include "tests/catch.h"

using namespace gpqa;

namespace {

std::string words(std::string_view profile) {
  return fmt::format("{}", fmt::join(describe_sampling(find_profile(profile).sampling), " "));
}

bool assumes(std::string_view profile, std::string_view field) {
  for (const auto& assumption : find_profile(profile).assumptions)
    if (assumption.field == field) return true;
  return false;
}

}  // namespace

TEST_CASE("profile card pins the whole chain of the card's command, with the defaults of its time") {
  CHECK(
      words("card") ==
      R"(temperature=1 top_k=64 top_p=0.95 min_p=0.05 min_keep=0 typical_p=1 top_n_sigma=-1 xtc_probability=0 )"
      R"(xtc_threshold=0.1 dynatemp_range=0 dynatemp_exponent=1 repeat_last_n=64 repeat_penalty=1 )"
      R"(presence_penalty=0 frequency_penalty=0 dry_multiplier=0.5 dry_base=1.75 dry_allowed_length=2 )"
      R"(dry_penalty_last_n=32768 dry_sequence_breakers=["\n",":","\"","*"] mirostat=0 mirostat_tau=5 )"
      R"(mirostat_eta=0.1 samplers=["penalties","dry","top_n_sigma","top_k","typ_p","top_p","min_p","xtc",)"
      R"("temperature"] reasoning_format="deepseek" reasoning_budget_tokens=8192 reasoning_budget_message="" )"
      R"(cache_prompt=false max_tokens=12288 thinking=required stop=["</s>"] seed=per_trial)");
  CHECK(find_profile("card").task_version == TaskVersion::v1_0);
  CHECK(assumes("card", "max_tokens"));
  CHECK(assumes("card", "task_version"));
}

TEST_CASE("profile card leaves no field to the server") {
  auto sampling = find_profile("card").sampling;
  for_each_sampling_field(sampling, [](const char* name, const auto& field) {
    INFO(name);
    CHECK(field.has_value());
  });
}

TEST_CASE("profile card-b11434 differs from card in DRY's reach and the task version alone") {
  auto sampling = find_profile("card-b11434").sampling;
  CHECK(sampling.dry_penalty_last_n == 64);
  sampling.dry_penalty_last_n = 32768;
  CHECK(sampling == find_profile("card").sampling);
  CHECK(find_profile("card-b11434").task_version == TaskVersion::v2_2);
}

TEST_CASE("profile author-late has the later budget, tokens, seed and one request at a time") {
  auto sampling = find_profile("author-late").sampling;
  CHECK(sampling.reasoning_budget == 16384);
  CHECK(sampling.max_tokens == 24576);
  CHECK(sampling.seed_rule == SeedRule::constant);
  CHECK(sampling.constant_seed == 42);
  CHECK(sampling.temperature == 1.0);
  CHECK(sampling.top_p == 0.95);
  CHECK(find_profile("author-late").concurrency == 1);
}

TEST_CASE("profile lm-eval sends what lm-eval sends by itself and nothing else") {
  CHECK(words("lm-eval") == R"(temperature=0 max_tokens=256 thinking=absent stop=["</s>"] seed=1234)");
}

TEST_CASE("profile greedy is deterministic") {
  const auto& sampling = find_profile("greedy").sampling;
  CHECK(sampling.temperature == 0.0);
  CHECK(sampling.top_k == 1);
  CHECK(sampling.dry_multiplier == 0.0);
  CHECK(sampling.repeat_penalty == 1.0);
  CHECK(sampling.max_tokens >= 12288);
}

TEST_CASE("every profile's values can be set by hand, and every assumption names a field") {
  for (const auto& profile : profiles()) {
    for (const auto& part : describe_sampling(profile.sampling)) {
      INFO(profile.name << ": " << part);
      SamplingConfig copy = profile.sampling;
      const auto [field, value] =
          parse_assignment(part.find("=\"") != std::string::npos
                               ? part.substr(0, part.find('=') + 1) +
                                     part.substr(part.find('=') + 2, part.size() - part.find('=') - 3)
                               : part);
      set_sampling_field(copy, field, value);
      CHECK(copy == profile.sampling);
    }
    for (const auto& assumption : profile.assumptions) {
      INFO(assumption.field);
      const auto& names = sampling_field_names();
      CHECK((assumption.field == "task_version" ||
             std::find(names.begin(), names.end(), assumption.field) != names.end()));
    }
  }
}

TEST_CASE("an unknown profile names the nearest") {
  CHECK_THROWS_WITH(find_profile("crad"), "unknown profile 'crad'; did you mean 'card'?");
}
