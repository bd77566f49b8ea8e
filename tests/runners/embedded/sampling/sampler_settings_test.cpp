#include "runners/embedded/sampling/sampler_settings.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "runners/embedded/sampling/baked_sampling.h"
#include "runners/embedded/sampling/sampler.h"
#include "tests/catch.h"
#include "tests/runners/model_files/gguf_builder.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

Json body(const std::string& name) {
  std::ifstream in(GPQA_TEST_DATA "/llama-server/" + name);
  return Json::parse(in);
}

// What the card's command line sets.
SamplingConfig card() {
  SamplingConfig config;
  config.temperature = 1;
  config.top_p = 0.95;
  config.top_k = 64;
  config.dry_multiplier = 0.5;
  return config;
}

// Every field that llama-server reports of sampling, as it reports it.
void check_reported_as(const SamplerSettings& settings, const Json& server, std::size_t at_least) {
  std::size_t compared = 0;
  const auto ours = reported(settings);
  for (const auto& [name, value] : ours.items()) {
    if (const auto it = server.find(name); it != server.end()) {
      INFO(name);
      CHECK(value == *it);
      ++compared;
    }
  }
  CHECK(compared >= at_least);
}

TEST_CASE("what is sampled with is reported as llama-server reports the same request") {
  check_reported_as(resolve(card(), {}), body("chat_pinned.body")["__verbose"]["generation_settings"], 27);
}

TEST_CASE("what a model file bakes in takes the place of the defaults, as llama-server shows it") {
  BakedSampling baked;
  baked.top_k = 17;
  baked.min_p = 0;
  SamplingConfig config;  // of that server's command line
  config.temperature = 1;
  config.top_p = 0.95;
  config.dry_multiplier = 0.5;
  check_reported_as(resolve(config, baked),
                    body("ggufsampling_props.body")["default_generation_settings"]["params"], 25);
  config.top_k = 3;  // what is asked goes before it
  CHECK(resolve(config, baked).top_k == 3);
}

TEST_CASE("without a word from anyone llama-server's defaults are used") {
  CHECK(resolve(SamplingConfig(), {}) == SamplerSettings());
}

TEST_CASE("every baked key is used, and unknown samplers in the sequence are skipped") {
  BakedSampling baked{.sequence = "top-k;none;temp;",
                      .top_k = -1,
                      .top_p = 0.5f,
                      .min_p = 0.25f,
                      .xtc_probability = 0.5f,
                      .xtc_threshold = 0.2f,
                      .temp = 0.3f,
                      .penalty_last_n = -1,
                      .penalty_repeat = 1.5f,
                      .mirostat = 2,
                      .mirostat_tau = 3,
                      .mirostat_eta = 0.5f,
                      .suppress_tokens = {3, 4}};
  SamplerSettings expected;
  expected.samplers = {SamplerKind::top_k, SamplerKind::temperature};
  expected.top_k = -1;
  expected.top_p = 0.5f;
  expected.min_p = 0.25f;
  expected.xtc_probability = 0.5f;
  expected.xtc_threshold = 0.2f;
  expected.temperature = 0.3f;
  expected.repeat_last_n = -1;
  expected.repeat_penalty = 1.5f;
  expected.mirostat = 2;
  expected.mirostat_tau = 3;
  expected.mirostat_eta = 0.5f;
  expected.suppress_tokens = {3, 4};
  CHECK(resolve(SamplingConfig(), baked) == expected);
}

TEST_CASE("every field asked for is used") {
  SamplingConfig config;
  config.temperature = 0.1;
  config.top_k = 2;
  config.top_p = 0.3;
  config.min_p = 0.4;
  config.min_keep = 5;
  config.typical_p = 0.6;
  config.top_n_sigma = 0.7;
  config.xtc_probability = 0.8;
  config.xtc_threshold = 0.9;
  config.dynatemp_range = 1.1;
  config.dynatemp_exponent = 1.2;
  config.repeat_last_n = 13;
  config.repeat_penalty = 1.4;
  config.presence_penalty = 1.5;
  config.frequency_penalty = 1.6;
  config.dry_multiplier = 1.7;
  config.dry_base = 1.8;
  config.dry_allowed_length = 19;
  config.dry_penalty_last_n = 20;
  config.dry_sequence_breakers = {"x"};
  config.mirostat = 1;
  config.mirostat_tau = 2.2;
  config.mirostat_eta = 2.3;
  config.samplers = {"Top-K", "nucleus", "adaptive_p"};
  config.reasoning_budget = 8192;
  config.reasoning_budget_message = "Out.";
  const auto json = reported(resolve(config, {}));
  for_each_sampling_field(config, [&](const char* name, const auto& field) {
    if (const Json asked = field ? Json(*field) : Json(); asked.is_number_float()) {
      INFO(name);
      CHECK(json[name].get<float>() == asked.get<float>());
    } else if (field && std::string(name) != "samplers") {
      INFO(name);
      CHECK(json[name] == asked);
    }
  });
  CHECK(json["samplers"] == Json({"top_k", "top_p", "adaptive_p"}));
}

TEST_CASE("what llama-server clamps without a word is clamped") {
  SamplingConfig config;
  config.temperature = -1;
  config.top_k = -5;
  config.top_p = 1.5;
  config.min_p = -0.5;
  config.xtc_probability = 2;
  config.xtc_threshold = -1;
  config.mirostat = 7;
  config.dry_base = 0.5;
  const auto settings = resolve(config, {});
  CHECK(settings.temperature == 0);
  CHECK(settings.top_k == 0);
  CHECK(settings.top_p == 1);
  CHECK(settings.min_p == 0);
  CHECK(settings.xtc_probability == 1);
  CHECK(settings.xtc_threshold == 0);
  CHECK(settings.mirostat == 2);
  CHECK(settings.dry_base == 1.75f);
}

TEST_CASE("what llama-server refuses is refused with the field's name and what was found") {
  const auto refused = [](auto change, const std::string& field, const std::string& found) {
    SamplingConfig config;
    change(config);
    INFO(field);
    CHECK_THROWS_AS(resolve(config, {}), InputError);
    CHECK_THROWS_WITH(resolve(config, {}),
                      Catch::Contains(field + " must be") && Catch::Contains("found " + found));
  };
  refused([](auto& c) { c.dry_penalty_last_n = -1; }, "dry_penalty_last_n", "-1");
  refused([](auto& c) { c.dry_allowed_length = -2; }, "dry_allowed_length", "-2");
  refused([](auto& c) { c.dry_sequence_breakers.emplace(); }, "dry_sequence_breakers", "an empty list");
  refused([](auto& c) { c.min_keep = -1; }, "min_keep", "-1");
  refused([](auto& c) { c.repeat_last_n = -1; }, "repeat_last_n", "-1");
  refused([](auto& c) { c.repeat_penalty = 0; }, "repeat_penalty", "0");
  refused([](auto& c) { c.repeat_penalty = -1; }, "repeat_penalty", "-1");
  refused([](auto& c) { c.repeat_penalty = 1e-44; }, "repeat_penalty", "");
  refused([](auto& c) { c.reasoning_budget = -2; }, "reasoning_budget_tokens", "-2");
  refused([](auto& c) { c.reasoning_budget = 3000000000; }, "reasoning_budget_tokens", "3000000000");
  refused([](auto& c) { c.top_k = 4294967296 + 5; }, "top_k", "4294967301");
  refused([](auto& c) { c.top_p = std::numeric_limits<double>::quiet_NaN(); }, "top_p", "nan");
  refused([](auto& c) { c.temperature = std::numeric_limits<double>::infinity(); }, "temperature", "inf");
  refused([](auto& c) { c.typical_p = 1e300; }, "typical_p", "1e+300");
  refused([](auto& c) { c.samplers = {"top_k", "topkk"}; }, "samplers", "\"topkk\"");
  refused([](auto& c) { c.samplers = {"infill"}; }, "samplers", "infill");
}

TEST_CASE("settings made by hand are checked when they are to be sampled with") {
  const auto refused = [](auto change) {
    SamplerSettings settings;
    change(settings);
    CHECK_THROWS_AS(Sampler(settings, 1, nullptr), InputError);
  };
  refused([](auto& s) { s.mirostat = 3; });
  refused([](auto& s) { s.mirostat = -1; });
  refused([](auto& s) { s.adaptive_decay = 1; });
  refused([](auto& s) { s.adaptive_target = std::numeric_limits<float>::quiet_NaN(); });
  refused([](auto& s) { s.min_p = std::numeric_limits<float>::quiet_NaN(); });
  refused([](auto& s) { s.logit_bias = {{1, std::numeric_limits<float>::quiet_NaN()}}; });
  refused([](auto& s) { s.logit_bias = {{1, std::numeric_limits<float>::infinity()}}; });
}

TEST_CASE("samplers go by all of llama-server's names") {
  for (const char* name : {"top_n_sigma", "top-n-sigma", "topnsigma", "TOP_N_SIGMA"}) {
    CHECK(sampler_kind(name) == SamplerKind::top_n_sigma);
  }
  for (const char* name : {"typ_p", "typ-p", "typp", "typ"}) CHECK(sampler_kind(name) == SamplerKind::typ_p);
  CHECK(sampler_kind("nucleus") == SamplerKind::top_p);
  CHECK(sampler_kind("temp") == SamplerKind::temperature);
  for (const char* name : {"", "top", "top_k ", "typical", "top__k"}) CHECK_FALSE(sampler_kind(name));
}

TEST_CASE("DRY needs breakers only where it is in the chain and does something") {
  SamplerSettings settings;
  CHECK_FALSE(settings.dry_active());
  settings.dry_multiplier = 0.5f;
  CHECK(settings.dry_active());
  const auto inactive = [&settings](auto change) {
    auto changed = settings;
    change(changed);
    CHECK_FALSE(changed.dry_active());
  };
  inactive([](auto& s) { s.dry_base = 0.9f; });
  inactive([](auto& s) { s.dry_penalty_last_n = 0; });
  inactive([](auto& s) { s.mirostat = 1; });
  inactive([](auto& s) { s.samplers = {SamplerKind::top_k}; });
}

// Metadata types: 5 an i32, 6 an f32, 8 a string, 9 an array.
BakedSampling baked_in(const GgufBuilder& file) {
  const TemporaryFile at("baked.gguf");
  at.write(file.bytes);
  return read_baked_sampling(GgufFile(at.path));
}

TEST_CASE("baked keys are read whatever number they are") {
  GgufBuilder file;
  file.head(0, 6);
  file.put_string("general.sampling.sequence").put<std::uint32_t>(8).put_string("top_k;temp");
  file.put_string("general.sampling.top_k").put<std::uint32_t>(6).put(40.7f);
  file.put_string("general.sampling.temp").put<std::uint32_t>(5).put<std::int32_t>(2);
  file.put_string("general.sampling.penalty_last_n").put<std::uint32_t>(5).put<std::int32_t>(-1);
  file.put_string("general.sampling.mirostat_eta").put<std::uint32_t>(6).put(0.5f);
  file.put_string("tokenizer.ggml.suppress_tokens").put<std::uint32_t>(9).put<std::uint32_t>(5);
  file.put<std::uint64_t>(3).put<std::int32_t>(7).put<std::int32_t>(-7).put<std::int32_t>(9).data(0);
  const auto baked = baked_in(file);
  CHECK(baked.sequence == "top_k;temp");
  CHECK(baked.top_k == 40);
  CHECK(baked.temp == 2.0f);
  CHECK(baked.penalty_last_n == -1);
  CHECK(baked.mirostat_eta == 0.5f);
  CHECK_FALSE(baked.top_p);
  CHECK_FALSE(baked.mirostat);
  CHECK(baked.suppress_tokens == std::vector<int>{7, 9});
}

TEST_CASE("a file that bakes in nothing says nothing") {
  const auto baked = baked_in(GgufBuilder().head(0, 0).data(0));
  CHECK(resolve(SamplingConfig(), baked) == SamplerSettings());
}

TEST_CASE("a baked value that isn't a number, or too large a one, is refused by its key") {
  GgufBuilder text;
  text.head(0, 1).put_string("general.sampling.top_p").put<std::uint32_t>(8).put_string("0.9").data(0);
  CHECK_THROWS_WITH(baked_in(text), Catch::Contains("general.sampling.top_p"));
  GgufBuilder large;
  large.head(0, 1).put_string("general.sampling.top_k").put<std::uint32_t>(6).put(1e10f).data(0);
  CHECK_THROWS_WITH(baked_in(large),
                    Catch::Contains("general.sampling.top_k") && Catch::Contains("out of range"));
  GgufBuilder nan;
  nan.head(0, 1).put_string("general.sampling.min_p").put<std::uint32_t>(6);
  nan.put(std::numeric_limits<float>::quiet_NaN()).data(0);
  CHECK_THROWS_WITH(baked_in(nan), Catch::Contains("general.sampling.min_p"));
}

}  // namespace
}  // namespace gpqa
