// runners/embedded/sampling/: from logits to the token, as llama-server (llama.cpp b11434) goes: the same
// logits, settings and seed give the same tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "runners/embedded/sampling/candidates.h"
#include "runners/embedded/sampling/choice.h"
#include "runners/embedded/sampling/dry.h"
#include "runners/embedded/sampling/penalties.h"
#include "runners/embedded/sampling/reasoning_budget.h"
#include "runners/embedded/sampling/sampler_settings.h"
#include "runners/embedded/sampling/temperature.h"
#include "runners/embedded/sampling/truncation.h"

namespace gpqa {

// Belongs to one sequence, from its prompt to its end. A sampler that its settings make inert isn't in the
// chain.
class Sampler {
 public:
  // `seed` is never a random one: 4294967295, by which llama-server means that, is a seed like any other.
  // `breakers`: of settings.dry_sequence_breakers; may be null unless settings.dry_active().
  // `tags`: those of the model's template if it thinks; without them, or a budget, reasoning has no bound.
  // Throws InputError for settings that can't be sampled with.
  Sampler(const SamplerSettings& settings, std::uint32_t seed,
          const std::shared_ptr<const DryBreakers>& breakers,
          std::optional<ReasoningTags> tags = std::nullopt);

  // All of the prompt, once, before the first token: DRY and penalties look back into it.
  void accept_prompt(std::span<const int> tokens);

  // The next token, accepted. Throws BadLogits; the sequence can't be gone on with then.
  int sample(std::span<const float> logits);

  // What the last token was chosen from, by falling probability as llama-server lists it
  // (post_sampling_probs).
  std::vector<Candidate> candidates() const;

  const ReasoningBudget* budget() const { return budget_ ? &*budget_ : nullptr; }

 private:
  using Stage = std::variant<Penalties, Dry, TopNSigma, TopK, Typical, TopP, MinP, Xtc, Temperature>;
  using Choice = std::variant<Dist, Mirostat1, Mirostat2, AdaptiveP>;

  static Choice make_choice(const SamplerSettings& settings, std::uint32_t seed);
  void add_stage(SamplerKind kind, const SamplerSettings& settings, std::uint32_t seed,
                 const std::shared_ptr<const DryBreakers>& breakers);
  void accept(int token);

  std::optional<ReasoningBudget> budget_;
  std::vector<LogitBias> biases_;  // asked for, then those of suppressed tokens
  std::vector<Stage> stages_;
  Choice choice_;
  Candidates candidates_;
};

}  // namespace gpqa
