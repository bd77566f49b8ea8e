// Chains whose tokens llama.cpp has given (tests/data/sampling/): the settings, and logits that any program
// can make.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "runners/embedded/sampling/sampler_settings.h"

namespace gpqa_test {

struct GoldenChain {
  std::string name;
  gpqa::SamplerSettings settings;
  std::uint32_t seed = 0;
  int vocabulary = 0;
};

constexpr int kGoldenTokens = 300;  // of each chain
inline const std::vector<int> kGoldenPrompt = {2, 5, 6, 7, 8, 5, 6, 7, 9, 1, 5, 6};
inline const std::vector<std::vector<int>> kGoldenBreakers = {{9}, {3, 4}, {3, 4, 5}};

// Multiples of 1/64 between -16 and 16, many of them equal; low ids stand out, so that texts repeat
// themselves.
inline std::vector<float> golden_logits(std::uint32_t seed, int step, int vocabulary) {
  std::vector<float> logits(static_cast<std::size_t>(vocabulary));
  std::uint64_t state = seed * 0x9E3779B97F4A7C15U + static_cast<std::uint64_t>(step) * 0xD1B54A32D192ED03U;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    std::uint64_t sum = 0;  // of four: a bell
    for (int shift = 32; shift < 64; shift += 8) sum += state >> shift & 255;
    logits[id] = static_cast<float>(sum) / 32 - 16 + (id < 8 ? 8.0f : 0.0f);
  }
  return logits;
}

inline std::vector<GoldenChain> golden_chains() {
  using gpqa::SamplerKind;
  gpqa::SamplerSettings card;
  card.temperature = 1;
  card.top_k = 64;
  card.dry_multiplier = 0.5f;
  std::vector<GoldenChain> chains;
  const auto add = [&](const char* name, const gpqa::SamplerSettings& settings, int vocabulary = 800) {
    chains.push_back({name, settings, static_cast<std::uint32_t>(chains.size() * 1000 + 7), vocabulary});
  };
  const auto with = [&card](auto change) {
    auto settings = card;
    change(settings);
    return settings;
  };
  add("the card", card);
  add("the card, many tokens", card, 20000);
  add("greedy", with([](auto& s) { s.temperature = 0; }));
  add("cool", with([](auto& s) { s.temperature = 0.6f; }));
  add("hot, top-k 200", with([](auto& s) { s.temperature = 1.7f, s.top_k = 200; }));
  add("no top-k", with([](auto& s) { s.top_k = 0; }));
  add("top-p of thousands", with([](auto& s) { s.top_k = 0, s.temperature = 3, s.top_p = 0.99f; }), 5000);
  add("min-p alone", with([](auto& s) { s.top_k = 0, s.top_p = 1, s.min_p = 0.2f; }));
  add("min-keep", with([](auto& s) { s.min_keep = 10; }));
  add("typical", with([](auto& s) { s.typical_p = 0.7f; }));
  add("top-n-sigma", with([](auto& s) { s.top_n_sigma = 1.5f; }));
  add("XTC", with([](auto& s) { s.xtc_probability = 0.5f, s.temperature = 2; }));
  add("dynamic temperature", with([](auto& s) { s.dynatemp_range = 0.8f, s.dynatemp_exponent = 1.3f; }));
  add("penalties", with([](auto& s) {
        s.repeat_penalty = 1.2f, s.frequency_penalty = 0.1f, s.presence_penalty = 0.3f, s.repeat_last_n = 100;
      }));
  add("DRY over all", with([](auto& s) { s.dry_penalty_last_n = 32768, s.dry_multiplier = 2; }));
  add("DRY at once", with([](auto& s) { s.dry_allowed_length = 0, s.dry_base = 1.1f; }));
  add("Mirostat 1", with([](auto& s) { s.mirostat = 1; }));
  add("Mirostat 2", with([](auto& s) { s.mirostat = 2, s.mirostat_tau = 3; }));
  add("adaptive-p",
      with([](auto& s) { s.samplers.push_back(SamplerKind::adaptive_p), s.adaptive_target = 0.3f; }));
  add("another order", with([](auto& s) {
        s.samplers = {SamplerKind::temperature, SamplerKind::min_p, SamplerKind::top_k, SamplerKind::dry,
                      SamplerKind::top_p};
        s.temperature = 1.3f;
      }));
  add("biases", with([](auto& s) { s.logit_bias = {{5, -3}, {6, 2}}, s.suppress_tokens = {7}; }));
  return chains;
}

}  // namespace gpqa_test
