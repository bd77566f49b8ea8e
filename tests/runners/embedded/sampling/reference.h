// llama-server's sampler chain written down plainly, to hold the product against: no code is shared with it
// but the settings. Everything is a list, sorted whole where the order of equals allows it; DRY compares
// every pair of suffixes; nothing is remembered that can be recomputed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "runners/embedded/sampling/sampler_settings.h"

namespace gpqa_test {

struct ReferenceTags {
  std::vector<int> start;
  std::vector<std::vector<int>> ends;
  std::vector<int> forced;
  std::vector<int> generation_prompt;
  std::function<bool(int)> whole_characters;
};

struct ReferenceVocabulary {
  std::vector<std::string> pieces;
  std::function<std::vector<int>(const std::string&)> tokenize;
};

class Reference {
 public:
  struct Entry {
    int id;
    float logit;
    float p;
  };

  Reference(gpqa::SamplerSettings settings, std::uint32_t seed, ReferenceVocabulary vocabulary,
            std::optional<ReferenceTags> tags);

  std::vector<int> history;  // prompt and answer; the prompt is put there

  // nullopt: a logit became NaN or +inf, or all are -inf
  std::optional<int> sample(const std::vector<float>& logits);
  std::vector<Entry> candidates() const;  // by falling p
  std::optional<int> forced_now() const;

 private:
  struct Unusable {};

  int chain(const std::vector<float>& logits);
  void run(gpqa::SamplerKind kind);
  void penalties();
  void dry();
  void top_n_sigma();
  void top_k();
  void typical();
  void top_p();
  void min_p();
  void xtc();
  void temperature(float temperature);
  void dynamic_temperature();
  std::size_t dist();
  std::size_t mirostat();
  std::size_t adaptive();
  std::size_t by_distribution();

  std::vector<Entry> best(std::size_t k) const;
  void sort(std::size_t k);
  void softmax(bool sorting);
  void check() const;
  int breaker_at(const std::vector<int>& recent, std::size_t i) const;

  gpqa::SamplerSettings s_;
  ReferenceVocabulary vocabulary_;
  std::optional<ReferenceTags> tags_;
  std::vector<int> generated_;
  std::mt19937 random_;
  std::vector<std::mt19937> xtc_random_;  // by place in the order
  std::size_t place_ = 0;
  float mu_ = 0;
  float weighted_ = 0;
  float weight_ = 0;
  std::vector<Entry> list_;
  bool sorted_ = false;
};

}  // namespace gpqa_test
