#include "runners/embedded/sampling/sampler.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/runners/embedded/sampling/golden_chains.h"

namespace gpqa {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplerSettings plain() {
  SamplerSettings settings;
  settings.temperature = 1;
  settings.top_k = 0;
  settings.top_p = 1;
  settings.min_p = 0;
  return settings;
}

int first_token(const SamplerSettings& settings, const std::vector<float>& logits) {
  return Sampler(settings, 1, nullptr).sample(logits);
}

TEST_CASE("the tokens are llama.cpp's, chain by chain and token by token") {
  std::ifstream in(GPQA_TEST_DATA "/sampling/tokens.json");
  const auto tokens = nlohmann::json::parse(in);
  const auto chains = gpqa_test::golden_chains();
  REQUIRE(tokens.size() == chains.size());
  const auto breakers = std::make_shared<const DryBreakers>(gpqa_test::kGoldenBreakers);
  for (const auto& chain : chains) {
    INFO(chain.name);
    Sampler sampler(chain.settings, chain.seed, breakers);
    sampler.accept_prompt(gpqa_test::kGoldenPrompt);
    std::vector<int> sampled(gpqa_test::kGoldenTokens);
    for (int step = 0; step < gpqa_test::kGoldenTokens; ++step) {
      sampled[static_cast<std::size_t>(step)] =
          sampler.sample(gpqa_test::golden_logits(chain.seed, step, chain.vocabulary));
    }
    CHECK(sampled == tokens.at(chain.name).get<std::vector<int>>());
  }
}

TEST_CASE("every token takes one double of the seed's: also a lone candidate, also a forced one") {
  const std::uint32_t seed = 123;
  std::mt19937 words(seed);
  const auto next_uniform = [&words] {
    const auto low = static_cast<double>(words());
    return (low + static_cast<double>(words()) * 4294967296.0) / 18446744073709551616.0;
  };
  auto settings = plain();
  settings.min_p = 0.5f;
  settings.reasoning_budget = 1;
  Sampler sampler(settings, seed, nullptr,
                  ReasoningTags{.start = {11},
                                .ends = {{8}},
                                .forced = {7, 8},
                                .generation_prompt = {11},
                                .whole_characters = nullptr});
  std::vector<float> even(12, -kInfinity);
  std::fill_n(even.begin(), 10, 0.0f);  // token t for u in (t / 10, (t + 1) / 10]
  std::vector<float> lone(12, -kInfinity);
  lone[2] = 1;
  const auto by = [](double u) { return static_cast<int>(std::ceil(u * 10)) - 1; };

  CHECK(sampler.sample(lone) == 2);
  CHECK(sampler.candidates().size() == 1);
  next_uniform();
  CHECK(sampler.sample(even) == 7);  // forced
  next_uniform();
  CHECK(sampler.sample(even) == 8);
  next_uniform();
  CHECK(sampler.budget()->state() == ReasoningBudget::State::done);
  for (int i = 0; i < 200; ++i) {
    CHECK(sampler.sample(even) == by(next_uniform()));
  }
}

TEST_CASE("the same seed gives the same tokens, another one others; 4294967295 is one too") {
  const std::vector<float> logits(1000, 0);
  const auto draw = [&](std::uint32_t seed) {
    Sampler sampler(plain(), seed, nullptr);
    std::vector<int> tokens(20);
    for (int& token : tokens) token = sampler.sample(logits);
    return tokens;
  };
  CHECK(draw(1) == draw(1));
  CHECK(draw(1) != draw(2));
  CHECK(draw(4294967295U) == draw(4294967295U));
}

TEST_CASE("temperature 0 takes the highest logit, the first of equals, and what stays keeps its order") {
  auto settings = plain();
  settings.temperature = 0;
  CHECK(first_token(settings, {1, 3, 2, 3}) == 1);
  CHECK(first_token(settings, {-1, -3, -kInfinity}) == 0);
}

TEST_CASE("the filters are applied before the temperature") {
  auto settings = plain();
  settings.top_p = 0.5f;
  settings.temperature = 1000;  // all would be alike, were it first
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    CHECK(Sampler(settings, seed, nullptr).sample(std::vector<float>{0, 2, 0, 0}) == 1);
  }
}

TEST_CASE("a logit that is NaN or infinite is refused, with the token's id, wherever it is") {
  for (const int top_k : {0, 1, 64, 129}) {
    auto settings = plain();
    settings.top_k = top_k;
    for (const std::size_t place : {0, 63, 64, 700, 999}) {
      for (const float bad : {kNan, -kNan, kInfinity}) {
        std::vector<float> logits(1000, 0.5f);
        logits[place] = bad;
        Sampler sampler(settings, 1, nullptr);
        CHECK_THROWS_AS(sampler.sample(logits), BadLogits);
        CHECK_THROWS_WITH(sampler.sample(logits),
                          Catch::Contains("token " + std::to_string(place) + "'s logit is") &&
                              Catch::Contains("after the forward pass"));
      }
    }
  }
}

TEST_CASE("nothing is chosen where every logit is -inf, or there is none") {
  const std::vector<float> none(5, -kInfinity);
  for (const int mirostat : {0, 1, 2}) {
    auto settings = plain();
    settings.mirostat = mirostat;
    CHECK_THROWS_WITH(first_token(settings, none), Catch::Contains("all 5 candidates are -inf"));
  }
  auto settings = plain();
  settings.top_k = 1;
  CHECK_THROWS_AS(first_token(settings, none), BadLogits);
  settings.temperature = 0;
  CHECK_THROWS_AS(first_token(settings, none), BadLogits);
  settings.suppress_tokens = {0, 1};
  CHECK_THROWS_AS(first_token(settings, {1, 2}), BadLogits);
  CHECK_THROWS_AS(first_token(settings, {}), BadLogits);
}

TEST_CASE("settings that push a logit out of range are named") {
  auto settings = plain();
  settings.temperature = 1e-38f;
  CHECK_THROWS_WITH(first_token(settings, {1, 20}),
                    Catch::Contains("token 1's logit is inf after temperature"));
  settings = plain();
  settings.logit_bias = {{1, 3e38f}};
  CHECK_THROWS_WITH(first_token(settings, {1, 3e38f}),
                    Catch::Contains("token 1's logit is inf after logit_bias"));
}

TEST_CASE("a forced token that the model can't have is refused") {
  auto settings = plain();
  settings.reasoning_budget = 0;
  const ReasoningTags tags{
      .start = {1}, .ends = {{2}}, .forced = {50}, .generation_prompt = {1}, .whole_characters = nullptr};
  Sampler sampler(settings, 1, nullptr, tags);
  CHECK_THROWS_WITH(sampler.sample(std::vector<float>{1, 2, 3}), Catch::Contains("token 50 can't be forced"));
  Sampler suppressed(
      [&] {
        auto s = settings;
        s.suppress_tokens = {2};
        return s;
      }(),
      1, nullptr,
      ReasoningTags{
          .start = {1}, .ends = {{2}}, .forced = {2}, .generation_prompt = {1}, .whole_characters = nullptr});
  CHECK_THROWS_WITH(suppressed.sample(std::vector<float>{1, 2, 3}),
                    Catch::Contains("all 3 candidates are -inf"));
}

TEST_CASE("biased and suppressed tokens are, and those outside the vocabulary are nobody's") {
  auto settings = plain();
  settings.temperature = 0;
  settings.logit_bias = {{0, -kInfinity}, {2, 1.5f}, {-1, 100}, {3, 100}};
  CHECK(first_token(settings, {5, 1, 0}) == 2);
  settings.suppress_tokens = {2, 77};
  CHECK(first_token(settings, {5, 1, 0}) == 1);
}

TEST_CASE("without a budget or tags nothing is bounded") {
  auto settings = plain();
  const ReasoningTags tags{
      .start = {1}, .ends = {{2}}, .forced = {2}, .generation_prompt = {1}, .whole_characters = nullptr};
  CHECK(Sampler(settings, 1, nullptr, tags).budget() == nullptr);
  settings.reasoning_budget = 5;
  CHECK(Sampler(settings, 1, nullptr).budget() == nullptr);
  CHECK(Sampler(settings, 1, nullptr, tags).budget() != nullptr);
  auto endless = tags;
  endless.ends = {};
  CHECK(Sampler(settings, 1, nullptr, endless).budget() == nullptr);
}

TEST_CASE("the candidates come with their probabilities after the chain, the most likely first") {
  auto settings = plain();
  settings.top_k = 2;
  Sampler sampler(settings, 1, nullptr);
  sampler.sample(std::vector<float>{0, 1, -5, 1 + std::log(3.0f)});
  const auto candidates = sampler.candidates();
  REQUIRE(candidates.size() == 2);
  CHECK(candidates[0].id == 3);
  CHECK(candidates[0].p == Approx(0.75).epsilon(1e-6));  // float's rounding of log and exp
  CHECK(candidates[1].id == 1);
  CHECK(candidates[1].p == Approx(0.25).epsilon(1e-6));
}

TEST_CASE("two sequences don't know of each other") {
  auto settings = plain();
  settings.repeat_penalty = 100;
  settings.temperature = 0;
  const std::vector<float> logits = {3, 2.5f, 0};
  Sampler a(settings, 1, nullptr);
  Sampler b(settings, 1, nullptr);
  CHECK(a.sample(logits) == 0);
  CHECK(a.sample(logits) == 1);
  CHECK(b.sample(logits) == 0);
}

}  // namespace
}  // namespace gpqa
