#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "runners/embedded/sampling/sampler.h"
#include "tests/catch.h"
#include "tests/runners/embedded/sampling/random_cases.h"
#include "tests/runners/embedded/sampling/reference.h"

namespace gpqa {
namespace {

using gpqa_test::RandomCases;
using gpqa_test::Reference;
using gpqa_test::ReferenceTags;

constexpr int kCases = 10'000;  // of each sampler alone, and of the whole chain

struct Counts {
  int tokens = 0;
  int forced = 0;
  int refused = 0;  // BadLogits
};

std::optional<ReasoningTags> product_tags(const std::optional<ReferenceTags>& tags) {
  if (!tags) return std::nullopt;
  return ReasoningTags{.start = tags->start,
                       .ends = tags->ends,
                       .forced = tags->forced,
                       .generation_prompt = tags->generation_prompt,
                       .whole_characters = tags->whole_characters};
}

void check_same(const std::vector<Candidate>& ours, const std::vector<Reference::Entry>& expected) {
  REQUIRE(ours.size() == expected.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const bool same =
        ours[i].id == expected[i].id &&
        std::bit_cast<std::uint32_t>(ours[i].p) == std::bit_cast<std::uint32_t>(expected[i].p) &&
        std::bit_cast<std::uint32_t>(ours[i].logit) == std::bit_cast<std::uint32_t>(expected[i].logit);
    if (!same) {
      INFO("candidate " << i << ": " << ours[i].id << ' ' << ours[i].logit << ' ' << ours[i].p
                        << ", expected " << expected[i].id << ' ' << expected[i].logit << ' '
                        << expected[i].p);
      FAIL();
    }
  }
}

// Both go through a prompt and some tokens: the same tokens, the same candidates with the same probabilities
// to the bit, and both refuse the same logits.
void run_case(RandomCases& random, const SamplerSettings& settings, int vocabulary_size, int steps,
              std::optional<ReferenceTags> tags, Counts& counts) {
  INFO(reported(settings).dump());
  const bool dry = settings.dry_active();
  const auto vocabulary = random.vocabulary(dry ? vocabulary_size : 0);
  const int alphabet = std::min(vocabulary_size, random.between(2, 6));
  if (tags) tags = random.tags(alphabet);
  const TokenPieces pieces{
      .count = vocabulary_size,
      .text = [&](int id) { return vocabulary.pieces[static_cast<std::size_t>(id)]; },
      .tokenize = [&](std::string_view text) { return vocabulary.tokenize(std::string(text)); }};
  const auto seed = random.seed();
  Reference reference(settings, seed, vocabulary, tags);
  const auto breakers =
      dry ? std::make_shared<const DryBreakers>(settings.dry_sequence_breakers, pieces) : nullptr;
  Sampler sampler(settings, seed, breakers, product_tags(tags));
  reference.history = random.tokens(0, 150, alphabet);
  sampler.accept_prompt(reference.history);
  const bool repeats = !random.once_in(3);
  for (int step = 0; step < steps; ++step) {
    auto logits = random.logits(vocabulary_size);
    for (int id = 0; repeats && id < alphabet; ++id) logits[static_cast<std::size_t>(id)] += 4;
    const auto forced = reference.forced_now();
    REQUIRE((sampler.budget() != nullptr ? sampler.budget()->forced() : std::nullopt) == forced);
    const auto expected = reference.sample(logits);
    if (!expected) {
      CHECK_THROWS_AS(sampler.sample(logits), BadLogits);
      ++counts.refused;
      return;
    }
    REQUIRE(sampler.sample(logits) == *expected);
    check_same(sampler.candidates(), reference.candidates());
    if (forced) CHECK(*expected == *forced);
    ++counts.tokens;
    counts.forced += forced.has_value();
  }
}

TEST_CASE("each sampler alone leaves what the reference leaves, with the same probabilities") {
  const auto kind = GENERATE(SamplerKind::penalties, SamplerKind::dry, SamplerKind::top_n_sigma,
                             SamplerKind::top_k, SamplerKind::typ_p, SamplerKind::top_p, SamplerKind::min_p,
                             SamplerKind::xtc, SamplerKind::temperature, SamplerKind::adaptive_p);
  INFO(sampler_name(kind));
  RandomCases random(100 + static_cast<std::uint32_t>(kind));
  Counts counts;
  for (int i = 0; i < kCases; ++i) {
    const int n = random.between(2, 300);
    auto settings = RandomCases::nothing();
    settings.min_keep = random.any({0, 0, 1, 2, 5, 1000});
    random.add(settings, kind, n);
    run_case(random, settings, n, 2, std::nullopt, counts);
  }
  CHECK(counts.tokens > 1.8 * kCases);
}

TEST_CASE("both mirostats choose as the reference does while mu moves") {
  RandomCases random(200);
  Counts counts;
  for (int i = 0; i < kCases; ++i) {
    const int n = random.between(2, 300);
    auto settings = RandomCases::nothing();
    random.mirostat(settings);
    if (random.once_in(2)) random.add(settings, SamplerKind::temperature, n);
    run_case(random, settings, n, 6, std::nullopt, counts);
  }
  CHECK(counts.tokens > 5 * kCases);
}

TEST_CASE("10,000 random chains give the reference's tokens, candidates and refusals") {
  RandomCases random(300);
  Counts counts;
  for (int i = 0; i < kCases; ++i) {
    const int n = random.between(2, 300);
    const auto settings = random.settings(n);
    run_case(random, settings, n, 3, std::nullopt, counts);
  }
  CHECK(counts.tokens > 25000);
  CHECK(counts.refused > 20);  // logits of -inf wherever a bias or a bound doesn't exclude them
}

TEST_CASE("chains with a reasoning budget force what the reference forces") {
  RandomCases random(400);
  Counts counts;
  for (int i = 0; i < 1500; ++i) {
    const int n = random.between(2, 50);
    auto settings = random.settings(n);
    settings.reasoning_budget = random.any({0, 1, 2, 5, -1});
    run_case(random, settings, n, 20, ReferenceTags{}, counts);
  }
  CHECK(counts.tokens > 12000);
  CHECK(counts.forced > 500);
}

TEST_CASE("vocabularies of thousands take the paths for many candidates as the reference says") {
  RandomCases random(500);
  Counts counts;
  for (int i = 0; i < 60; ++i) {
    const int n = random.between(900, 4000);
    auto settings = random.settings(n);
    if (random.once_in(3)) settings.top_k = 0;
    run_case(random, settings, n, 2, std::nullopt, counts);
  }
  CHECK(counts.tokens > 100);
}

TEST_CASE("some hundred tokens in a row stay the reference's, whatever the seed") {
  RandomCases random(600);
  Counts counts;
  for (int i = 0; i < 12; ++i) {
    auto settings = RandomCases::nothing();
    settings.top_k = 64;
    settings.top_p = 0.95f;
    settings.min_p = 0.05f;
    settings.dry_multiplier = 0.5f;
    if (i % 3 == 1) settings.xtc_probability = 0.5f;
    if (i % 3 == 2) settings.repeat_penalty = 1.2f;
    run_case(random, settings, 200, 300, std::nullopt, counts);
  }
  CHECK(counts.tokens > 2500);
}

}  // namespace
}  // namespace gpqa
