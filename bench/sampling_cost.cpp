// What one token costs from logits to id, on one core: sampling_cost [TOKENS]
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "runners/embedded/sampling/sampler.h"

namespace {

constexpr std::size_t kVocabulary = 262144;  // Gemma 4's
constexpr std::size_t kPositions = 16;  // more than the caches hold, as the next position's logits are cold

// Shaped as a model's: a broad heap of unlikely tokens, some that stand out.
std::vector<std::vector<float>> make_logits() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(-5, 3);
  std::vector<std::vector<float>> positions(kPositions, std::vector<float>(kVocabulary));
  for (auto& logits : positions) {
    for (auto& logit : logits) logit = normal(random);
    for (int i = 0; i < 20; ++i) logits[random() % 64] += 20;  // few enough that the text repeats itself
  }
  return positions;
}

void measure(const char* what, const gpqa::SamplerSettings& settings, std::size_t tokens,
             const std::vector<std::vector<float>>& positions) {
  const std::vector<std::vector<int>> breakers = {{1}, {2}};
  gpqa::Sampler sampler(settings, 1, std::make_shared<const gpqa::DryBreakers>(breakers));
  std::vector<double> ms;
  ms.reserve(tokens);
  for (std::size_t i = 0; i < tokens; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    sampler.sample(positions[i % kPositions]);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    ms.push_back(took.count());
  }
  std::sort(ms.begin(), ms.end());
  std::printf("%-36s %8.3f %8.3f\n", what, ms[tokens / 2], ms[tokens * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::size_t tokens = argc > 1 ? std::max<std::size_t>(std::strtoul(argv[1], nullptr, 10), 1) : 1000;
    const auto positions = make_logits();
    gpqa::SamplerSettings card;
    card.temperature = 1;
    card.top_k = 64;
    card.dry_multiplier = 0.5f;
    std::printf("%-36s %8s %8s\n", "ms a token, 262,144 logits", "median", "p99");
    measure("the card's chain", card, tokens, positions);
    auto settings = card;
    settings.temperature = 0;
    measure("the card's chain, temperature 0", settings, tokens, positions);
    settings = card;
    settings.dry_penalty_last_n = 32768;
    measure("the card's chain, DRY over 32,768", settings, tokens, positions);
    settings = card;
    settings.top_k = 1000;
    measure("top-k 1000", settings, tokens, positions);
    settings = card;
    settings.top_k = 0;
    measure("no top-k", settings, tokens, positions);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sampling_cost: %s\n", error.what());
    return 1;
  }
}
