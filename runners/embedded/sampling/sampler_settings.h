// What a sequence is sampled with, every field with a value: llama-server's defaults, what the model file
// bakes in, what was asked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "runners/sampling_config.h"

namespace gpqa {

enum class SamplerKind {
  penalties,
  dry,
  top_n_sigma,
  top_k,
  typ_p,
  top_p,
  min_p,
  xtc,
  temperature,
  adaptive_p,
  infill  // known by name, not built: it asks for fill-in-the-middle tokens
};

std::string_view sampler_name(SamplerKind kind);
// In any of the spellings that llama-server takes: top_k, top-k, topk, Top_K; nucleus, temp, typ.
std::optional<SamplerKind> sampler_kind(std::string_view name);

struct LogitBias {
  int token = 0;
  float bias = 0;  // -inf: never
  bool operator==(const LogitBias&) const = default;
};

// Values as llama-server (b11434) defaults them, in its types.
struct SamplerSettings {
  float temperature = 0.8f;
  std::int32_t top_k = 40;
  float top_p = 0.95f;
  float min_p = 0.05f;
  std::int32_t min_keep = 0;
  float typical_p = 1;
  float top_n_sigma = -1;
  float xtc_probability = 0;
  float xtc_threshold = 0.1f;
  float dynatemp_range = 0;
  float dynatemp_exponent = 1;
  std::int32_t repeat_last_n = 64;
  float repeat_penalty = 1;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  float dry_multiplier = 0;
  float dry_base = 1.75f;
  std::int32_t dry_allowed_length = 2;
  std::int32_t dry_penalty_last_n = 64;
  std::vector<std::string> dry_sequence_breakers = {"\n", ":", "\"", "*"};
  std::int32_t mirostat = 0;
  float mirostat_tau = 5;
  float mirostat_eta = 0.1f;
  float adaptive_target = -1;
  float adaptive_decay = 0.9f;
  std::vector<SamplerKind> samplers = {SamplerKind::penalties, SamplerKind::dry,   SamplerKind::top_n_sigma,
                                       SamplerKind::top_k,     SamplerKind::typ_p, SamplerKind::top_p,
                                       SamplerKind::min_p,     SamplerKind::xtc,   SamplerKind::temperature};
  std::int32_t reasoning_budget = -1;  // tokens; -1: none
  std::string reasoning_budget_message;
  std::vector<LogitBias> logit_bias;
  std::vector<int> suppress_tokens;  // of the model file; tokens outside the vocabulary are none

  bool dry_active() const;  // also whether breakers are needed
  bool operator==(const SamplerSettings&) const = default;
};

// What a model's files say of sampling: `general.sampling.*`, `tokenizer.ggml.suppress_tokens`.
struct BakedSampling {
  std::optional<std::string> sequence;  // names of samplers between semicolons
  std::optional<std::int32_t> top_k;
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<float> xtc_probability;
  std::optional<float> xtc_threshold;
  std::optional<float> temp;
  std::optional<std::int32_t> penalty_last_n;
  std::optional<float> penalty_repeat;
  std::optional<std::int32_t> mirostat;
  std::optional<float> mirostat_tau;
  std::optional<float> mirostat_eta;
  std::vector<int> suppress_tokens;

  bool operator==(const BakedSampling&) const = default;
};

// The defaults, replaced by what is baked, replaced by what is asked; that is clamped where llama-server
// clamps it without a word (top_k, top_p, min_p, xtc, temperature, mirostat, dry_base). Throws InputError
// where it would refuse the request, and for an unknown sampler asked for, which it would skip.
SamplerSettings resolve(const SamplingConfig& asked, const BakedSampling& baked);

// Throws InputError naming the first field that can't be sampled with.
void check(const SamplerSettings& settings);

// As llama-server reports a request's settings, and after them what it doesn't: the reasoning budget and its
// message, the suppressed tokens.
nlohmann::ordered_json reported(const SamplerSettings& settings);

}  // namespace gpqa
