#include "runners/embedded/sampling/sampler.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

namespace gpqa {

Sampler::Sampler(const SamplerSettings& settings, std::uint32_t seed,
                 const std::shared_ptr<const DryBreakers>& breakers, std::optional<ReasoningTags> tags)
    : biases_(settings.logit_bias), choice_(make_choice(settings, seed)) {
  check(settings);
  if (tags && !tags->start.empty() && !tags->ends.empty() && settings.reasoning_budget >= 0) {
    budget_.emplace(std::move(*tags), settings.reasoning_budget);
  }
  for (const int token : settings.suppress_tokens) {
    biases_.push_back({.token = token, .bias = -std::numeric_limits<float>::infinity()});
  }
  if (settings.mirostat != 0) {  // nothing but the temperature comes before it
    if (settings.temperature != 1) stages_.push_back(Temperature{.value = settings.temperature});
    return;
  }
  for (const auto kind : settings.samplers) {
    add_stage(kind, settings, seed, breakers);
  }
}

Sampler::Choice Sampler::make_choice(const SamplerSettings& settings, std::uint32_t seed) {
  if (settings.mirostat == 1) {
    return Mirostat1{
        .random = std::mt19937(seed), .tau = settings.mirostat_tau, .eta = settings.mirostat_eta};
  }
  if (settings.mirostat == 2) {
    return Mirostat2{
        .random = std::mt19937(seed), .tau = settings.mirostat_tau, .eta = settings.mirostat_eta};
  }
  const auto& samplers = settings.samplers;
  if (std::find(samplers.begin(), samplers.end(), SamplerKind::adaptive_p) != samplers.end()) {
    return AdaptiveP(seed, settings.adaptive_target, settings.adaptive_decay);
  }
  return Dist{.random = std::mt19937(seed)};
}

void Sampler::add_stage(SamplerKind kind, const SamplerSettings& settings, std::uint32_t seed,
                        const std::shared_ptr<const DryBreakers>& breakers) {
  const auto& s = settings;
  const auto min_keep = static_cast<std::size_t>(s.min_keep);
  switch (kind) {
    case SamplerKind::penalties:
      if (s.repeat_last_n > 0 &&
          (s.repeat_penalty != 1 || s.frequency_penalty != 0 || s.presence_penalty != 0)) {
        stages_.emplace_back(Penalties(static_cast<std::size_t>(s.repeat_last_n), s.repeat_penalty,
                                       s.frequency_penalty, s.presence_penalty));
      }
      break;
    case SamplerKind::dry:
      if (s.dry_active()) {
        stages_.emplace_back(Dry(static_cast<std::size_t>(s.dry_penalty_last_n), s.dry_multiplier, s.dry_base,
                                 s.dry_allowed_length, breakers));
      }
      break;
    case SamplerKind::top_n_sigma:
      if (s.top_n_sigma > 0) stages_.push_back(TopNSigma{.n = s.top_n_sigma});
      break;
    case SamplerKind::top_k:
      if (s.top_k > 0) stages_.push_back(TopK{.k = static_cast<std::size_t>(s.top_k)});
      break;
    case SamplerKind::typ_p:
      if (s.typical_p < 1) stages_.push_back(Typical{.p = s.typical_p, .min_keep = min_keep});
      break;
    case SamplerKind::top_p:
      if (s.top_p < 1) stages_.push_back(TopP{.p = s.top_p, .min_keep = min_keep});
      break;
    case SamplerKind::min_p:
      if (s.min_p > 0) stages_.push_back(MinP{.p = s.min_p, .min_keep = min_keep});
      break;
    case SamplerKind::xtc:
      if (s.xtc_probability > 0 && s.xtc_threshold <= 0.5f) {
        stages_.push_back(Xtc{.probability = s.xtc_probability,
                              .threshold = s.xtc_threshold,
                              .min_keep = min_keep,
                              .random = std::mt19937(seed)});
      }
      break;
    case SamplerKind::temperature:
      if (s.temperature != 1 || s.dynatemp_range > 0) {
        stages_.push_back(
            Temperature{.value = s.temperature, .range = s.dynatemp_range, .exponent = s.dynatemp_exponent});
      }
      break;
    case SamplerKind::adaptive_p:  // it chooses: make_choice
    case SamplerKind::infill:      // refused by check
      break;
  }
}

void Sampler::accept_prompt(std::span<const int> tokens) {
  for (const int token : tokens) {
    accept(token);
  }
}

void Sampler::accept(int token) {
  for (auto& stage : stages_) {
    if (auto* penalties = std::get_if<Penalties>(&stage)) {
      penalties->accept(token);
    } else if (auto* dry = std::get_if<Dry>(&stage)) {
      dry->accept(token);
    }
  }
  std::visit([token](auto& choice) { choice.accept(token); }, choice_);
}

int Sampler::sample(std::span<const float> logits) {
  candidates_.assign(logits);
  if (budget_) {
    if (const auto forced = budget_->forced()) candidates_.leave_only(*forced);
  }
  for (const auto& [token, bias] : biases_) {
    candidates_.add(token, bias, "logit_bias");
  }
  for (auto& stage : stages_) {
    std::visit([this](auto& sampler) { sampler.apply(candidates_); }, stage);
  }
  const std::size_t chosen = std::visit([this](auto& choice) { return choice.choose(candidates_); }, choice_);
  const int token = candidates_.list()[chosen].id;
  if (budget_) budget_->accept(token);
  accept(token);
  return token;
}

std::vector<Candidate> Sampler::candidates() const {
  const auto list = candidates_.list();
  std::vector<Candidate> sorted(list.begin(), list.end());
  if (!candidates_.sorted()) {
    std::sort(sorted.begin(), sorted.end(), [](const Candidate& a, const Candidate& b) { return a.p > b.p; });
  }
  return sorted;
}

}  // namespace gpqa
