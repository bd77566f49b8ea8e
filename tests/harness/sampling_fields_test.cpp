#include "harness/sampling_fields.h"

#include "prompts/input_error.h"
#include "tests/catch.h"

using namespace gpqa;

namespace {

SamplingConfig with(const std::string& assignment, SamplingConfig sampling = {}) {
  const auto [field, value] = parse_assignment(assignment);
  set_sampling_field(sampling, field, value);
  return sampling;
}

std::string refusal(const std::string& assignment) {
  try {
    with(assignment);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("every sampling field can be set under llama-server's name") {
  CHECK(with("temperature=0.7").temperature == 0.7);
  CHECK(with("temperature=1").temperature == 1.0);
  CHECK(with("top_k=40").top_k == 40);
  CHECK(with("reasoning_budget_tokens=16").reasoning_budget == 16);
  CHECK(with("reasoning_budget_message=123").reasoning_budget_message == "123");
  CHECK(with("cache_prompt=true").cache_prompt == true);
  CHECK(with(R"(dry_sequence_breakers=["\n","="])").dry_sequence_breakers ==
        std::vector<std::string>{"\n", "="});
  CHECK(with(R"(samplers=["top_k","temperature"])").samplers ==
        std::vector<std::string>{"top_k", "temperature"});
  CHECK(with("max_tokens=64").max_tokens == 64);
  CHECK(with("thinking=absent").thinking == Thinking::absent);
  CHECK(with(R"(stop=["</s>"])").stop == std::vector<std::string>{"</s>"});
  CHECK(with("stop=[]").stop.empty());
}

TEST_CASE("each listed name is settable, and setting one changes no other field") {
  for (const auto& name : sampling_field_names()) {
    SamplingConfig sampling;
    sampling.max_tokens = 7;
    const auto before = describe_sampling(sampling);
    if (name == "max_tokens" || name == "thinking" || name == "stop" || name == "seed") continue;
    bool set = false;
    for (const char* text : {"1", "true", "[\"top_k\"]", "none"}) {
      try {
        const auto [field, value] = parse_assignment(name + "=" + text);
        CHECK(field == name);
        set_sampling_field(sampling, field, value);
        set = true;
        break;
      } catch (const InputError&) {  // another type
      }
    }
    INFO(name);
    CHECK(set);
    CHECK(describe_sampling(sampling).size() == before.size() + 1);
  }
}

TEST_CASE("short names in use elsewhere are understood in assignments") {
  CHECK(parse_assignment("temp=0.7").first == "temperature");
  CHECK(parse_assignment("top-p=0.7").first == "top_p");
  CHECK(parse_assignment("max_completion_tokens=5").first == "max_tokens");
  CHECK(parse_assignment("thinking_budget_tokens=5").first == "reasoning_budget_tokens");
}

TEST_CASE("a field can be left to the server") {
  SamplingConfig sampling;
  sampling.min_p = 0.05;
  sampling.dry_sequence_breakers = {"\n"};
  CHECK_FALSE(with("min_p=server", sampling).min_p.has_value());
  CHECK_FALSE(with("dry_sequence_breakers=server", sampling).dry_sequence_breakers.has_value());
  CHECK(with("seed=server").seed_rule == SeedRule::server);
}

TEST_CASE("the seed is a number for all requests, or a rule") {
  const auto constant = with("seed=1234");
  CHECK(constant.seed_rule == SeedRule::constant);
  CHECK(constant.constant_seed == 1234);
  CHECK(with("seed=per_trial").seed_rule == SeedRule::per_trial);
  CHECK(refusal("seed=4294967295") != "accepted");  // "random" to a llama-server
  CHECK(refusal("seed=-1") != "accepted");
  CHECK(with("seed=4294967294").constant_seed == 4294967294U);
}

TEST_CASE("an unknown field names the nearest known one") {
  CHECK(refusal("min_P=0.1") == "unknown field 'min_P'; did you mean 'min_p'?");
  CHECK(refusal("temprature=1") == "unknown field 'temprature'; did you mean 'temperature'?");
  CHECK(refusal("dry_mutliplier=1") == "unknown field 'dry_mutliplier'; did you mean 'dry_multiplier'?");
  CHECK(refusal("quux_zzzzzzzz=1").find("known: temperature, top_k") != std::string::npos);
}

TEST_CASE("what a server would refuse or silently clamp is refused here") {
  for (const char* bad : {"top_p=1.5",
                          "min_p=-0.1",
                          "temperature=-1",
                          "dry_base=0.5",
                          "dry_penalty_last_n=-1",
                          "reasoning_budget_tokens=-1",
                          "max_tokens=0",
                          "mirostat=3",
                          "dry_sequence_breakers=[]",
                          "samplers=[\"top_q\"]",
                          "reasoning_format=deepsek",
                          "thinking=maybe",
                          "temperature=nan",
                          "temperature=1e999",
                          "top_k=64.5",
                          "top_k=99999999999",
                          "top_k=18446744073709551615",
                          "cache_prompt=1",
                          "temperature=warm",
                          "stop=</s>",
                          "temperature=",
                          "=1",
                          "temperature"}) {
    INFO(bad);
    CHECK(refusal(bad) != "accepted");
  }
  CHECK(refusal("dry_penalty_last_n=-1").find("32768") != std::string::npos);
}
