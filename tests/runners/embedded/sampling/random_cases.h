// Random logits, settings, texts and vocabularies, with many ties and extremes among them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/runners/embedded/sampling/reference.h"

namespace gpqa_test {

class RandomCases {
 public:
  explicit RandomCases(std::uint32_t seed) : random_(seed) {}

  bool once_in(int n) { return between(1, n) == 1; }
  int between(int least, int most) {
    return static_cast<int>(random_() % static_cast<std::uint32_t>(most - least + 1)) + least;
  }
  template <class Value>
  Value any(std::initializer_list<Value> values) {
    return values.begin()[between(0, static_cast<int>(values.size()) - 1)];
  }
  std::uint32_t seed() { return static_cast<std::uint32_t>(random_()); }

  std::vector<float> logits(int n) {
    constexpr float kNever = -std::numeric_limits<float>::infinity();
    const int kind = between(0, 8);
    const float scale = any({0.1f, 1.0f, 3.0f, 8.0f, 30.0f});
    std::normal_distribution<float> normal(0, scale);
    std::vector<float> logits(static_cast<std::size_t>(n));
    for (float& x : logits) {
      x = normal(random_);
      if (kind == 0) x = std::round(x);
      if (kind == 1) x = static_cast<float>(between(0, 2));
      if (kind == 2) x = 1.5f;
      if (kind == 3 && once_in(2)) x = kNever;
      if (kind == 4 && !once_in(50)) x = kNever;
      if (kind == 5) x = std::round(2 * x) / 2 - 5;
      if (kind == 6) x = 5 * x + 20;
    }
    if (kind == 6 && once_in(3)) logits[static_cast<std::size_t>(between(0, n - 1))] = 300;
    return logits;
  }

  std::vector<int> tokens(int least, int most, int alphabet) {
    std::vector<int> tokens(static_cast<std::size_t>(between(least, most)));
    for (int& token : tokens) token = between(0, alphabet - 1);
    return tokens;
  }

  std::string text(const std::string& characters, int most) {
    std::string text;
    for (int left = between(0, most); left > 0; --left) {
      text += characters[static_cast<std::size_t>(between(0, static_cast<int>(characters.size()) - 1))];
    }
    return text;
  }

  ReferenceVocabulary vocabulary(int n) {
    ReferenceVocabulary vocabulary;
    for (int i = 0; i < n; ++i) {
      vocabulary.pieces.push_back(text(std::string("abc\n:*\"x\xC3\xA9"), 4));
    }
    vocabulary.tokenize = [n](const std::string& text) {  // a character a token
      std::vector<int> tokens;
      for (const char c : text) tokens.push_back(static_cast<unsigned char>(c) % n);
      return tokens;
    };
    return vocabulary;
  }

  ReferenceTags tags(int alphabet) {
    ReferenceTags tags;
    tags.start = tokens(1, 2, alphabet);
    for (int left = between(1, 2); left > 0; --left) tags.ends.push_back(tokens(1, 3, alphabet));
    tags.forced = tokens(0, 3, alphabet);
    tags.generation_prompt = tokens(0, 3, alphabet);
    tags.whole_characters = [](int token) { return token % 3 != 0; };
    return tags;
  }

  void add(gpqa::SamplerSettings& s, gpqa::SamplerKind kind, int vocabulary) {
    using gpqa::SamplerKind;
    switch (kind) {
      case SamplerKind::penalties:
        s.repeat_last_n = any({64, 1, 3, 10, 1000, 0, -1});
        s.repeat_penalty = any({1.1f, 0.9f, 2.0f, 1.0f});
        s.frequency_penalty = any({0.0f, 0.5f, -0.5f});
        s.presence_penalty = any({0.0f, 0.3f, -1.0f});
        break;
      case SamplerKind::dry:
        s.dry_multiplier = any({0.5f, 2.0f, 0.1f, -0.5f});
        s.dry_base = any({1.75f, 1.0f, 1.0000005f, 3.0f, 1.2f, 0.5f});
        s.dry_allowed_length = any({2, 0, 1, 3, 5});
        s.dry_penalty_last_n = any({64, 0, 1, 5, 20, 300});
        if (once_in(2)) {
          s.dry_sequence_breakers.clear();
          for (int left = between(1, 3); left > 0; --left) {
            s.dry_sequence_breakers.push_back(text(std::string("abc\n:\0", 6), once_in(20) ? 50 : 4));
          }
        }
        break;
      case SamplerKind::top_n_sigma:
        s.top_n_sigma = any({1.0f, 0.5f, 2.0f, 0.01f, 10.0f});
        break;
      case SamplerKind::top_k:
        s.top_k = any({64, 40, 0, 1, 2, 5, 127, 128, 129, 200, vocabulary, vocabulary + 1, 1000000});
        break;
      case SamplerKind::typ_p:
        s.typical_p = any({0.0f, 0.5f, 0.9f, 0.2f, -1.0f});
        break;
      case SamplerKind::top_p:
        s.top_p = any({0.95f, 0.0f, 0.5f, 0.9999f, 0.3f, -1.0f});
        break;
      case SamplerKind::min_p:
        s.min_p = any({0.05f, 1.0f, 0.5f, 0.001f, 2.0f});
        break;
      case SamplerKind::xtc:
        s.xtc_probability = any({1.0f, 0.5f, 0.1f});
        s.xtc_threshold = any({0.1f, 0.0f, 0.5f, 0.02f});
        break;
      case SamplerKind::temperature:
        s.temperature = any({0.7f, 1.5f, 0.0f, 0.05f, 5.0f, -1.0f});
        if (once_in(3)) {
          s.dynatemp_range = any({0.5f, 1.0f, 2.0f, 0.1f});
          s.dynatemp_exponent = any({1.0f, 0.5f, 2.0f, -1.0f});
        }
        break;
      case SamplerKind::adaptive_p:
        s.samplers.push_back(SamplerKind::adaptive_p);
        s.adaptive_target = any({-1.0f, 0.5f, 0.0f, 1.0f, 0.2f});
        s.adaptive_decay = any({0.9f, 0.0f, 0.99f});
        break;
      case SamplerKind::infill:
        break;
    }
  }

  // All inert.
  static gpqa::SamplerSettings nothing() {
    gpqa::SamplerSettings s;
    s.temperature = 1;
    s.top_k = 0;
    s.top_p = 1;
    s.min_p = 0;
    return s;
  }

  gpqa::SamplerSettings settings(int vocabulary) {
    auto s = nothing();
    const auto order = s.samplers;
    s.min_keep = any({0, 0, 0, 1, 2, 5, 1000});
    for (const auto kind : order) {
      if (once_in(2)) add(s, kind, vocabulary);
    }
    if (once_in(3)) std::shuffle(s.samplers.begin(), s.samplers.end(), random_);
    if (once_in(10)) s.samplers.push_back(s.samplers[static_cast<std::size_t>(between(0, 8))]);
    if (once_in(10)) s.samplers.resize(static_cast<std::size_t>(between(0, 5)));
    if (once_in(10)) add(s, gpqa::SamplerKind::adaptive_p, vocabulary);
    if (once_in(10)) mirostat(s);
    if (once_in(5)) biases(s, vocabulary);
    return s;
  }

  void mirostat(gpqa::SamplerSettings& s) {
    s.mirostat = between(1, 2);
    s.mirostat_tau = any({5.0f, 1.0f, 0.1f, 10.0f});
    s.mirostat_eta = any({0.1f, 1.0f, 0.0f});
  }

  void biases(gpqa::SamplerSettings& s, int vocabulary) {
    for (int left = between(1, 4); left > 0; --left) {
      s.logit_bias.push_back({.token = between(-1, vocabulary + 1),
                              .bias = any({1.0f, -1.0f, 20.0f, -std::numeric_limits<float>::infinity()})});
    }
    for (int left = between(0, 2); left > 0; --left) s.suppress_tokens.push_back(between(0, vocabulary));
  }

 private:
  std::mt19937 random_;
};

}  // namespace gpqa_test
