// Every field that changes the text a model writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gpqa {

// required: the audit refuses a server whose template doesn't think. off: asked not to think. absent: the
// model can't.
enum class Thinking { required, off, absent };

// per_trial: Trial::seed. constant: `constant_seed` for every request (lm-eval sends 1234). server: none is
// sent.
enum class SeedRule { per_trial, constant, server };

// A field without a value is not sent, so the server's own default joins in; the audit reads it back and the
// manifest keeps it. Profile `lm-eval` leaves most of them so, the others none. Names follow llama-server's
// JSON.
struct SamplingConfig {
  std::optional<double> temperature;
  std::optional<std::int64_t> top_k;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<std::int64_t> min_keep;
  std::optional<double> typical_p;
  std::optional<double> top_n_sigma;
  std::optional<double> xtc_probability;
  std::optional<double> xtc_threshold;
  std::optional<double> dynatemp_range;
  std::optional<double> dynatemp_exponent;
  std::optional<std::int64_t> repeat_last_n;
  std::optional<double> repeat_penalty;
  std::optional<double> presence_penalty;
  std::optional<double> frequency_penalty;
  std::optional<double> dry_multiplier;
  std::optional<double> dry_base;
  std::optional<std::int64_t> dry_allowed_length;
  std::optional<std::int64_t> dry_penalty_last_n;
  std::optional<std::vector<std::string>> dry_sequence_breakers;
  std::optional<std::int64_t> mirostat;
  std::optional<double> mirostat_tau;
  std::optional<double> mirostat_eta;
  std::optional<std::vector<std::string>> samplers;  // the order of the chain
  std::optional<std::string> reasoning_format;       // none | deepseek | deepseek-legacy
  std::optional<std::int64_t> reasoning_budget;      // tokens; sent as reasoning_budget_tokens
  std::optional<std::string> reasoning_budget_message;
  std::optional<bool> cache_prompt;
  std::vector<std::string> stop;
  std::int64_t max_tokens = 0;  // always sent; >= 1
  Thinking thinking = Thinking::required;
  SeedRule seed_rule = SeedRule::per_trial;
  std::uint32_t constant_seed = 0;

  bool operator==(const SamplingConfig&) const = default;
};

// Calls visit(name, field) for each optional field, in the order above, under llama-server's JSON name:
// the one list behind requests, manifests, plans and the comparison with what a server read back.
template <class Config, class Visit>
void for_each_sampling_field(Config& c, Visit&& visit) {
  visit("temperature", c.temperature);
  visit("top_k", c.top_k);
  visit("top_p", c.top_p);
  visit("min_p", c.min_p);
  visit("min_keep", c.min_keep);
  visit("typical_p", c.typical_p);
  visit("top_n_sigma", c.top_n_sigma);
  visit("xtc_probability", c.xtc_probability);
  visit("xtc_threshold", c.xtc_threshold);
  visit("dynatemp_range", c.dynatemp_range);
  visit("dynatemp_exponent", c.dynatemp_exponent);
  visit("repeat_last_n", c.repeat_last_n);
  visit("repeat_penalty", c.repeat_penalty);
  visit("presence_penalty", c.presence_penalty);
  visit("frequency_penalty", c.frequency_penalty);
  visit("dry_multiplier", c.dry_multiplier);
  visit("dry_base", c.dry_base);
  visit("dry_allowed_length", c.dry_allowed_length);
  visit("dry_penalty_last_n", c.dry_penalty_last_n);
  visit("dry_sequence_breakers", c.dry_sequence_breakers);
  visit("mirostat", c.mirostat);
  visit("mirostat_tau", c.mirostat_tau);
  visit("mirostat_eta", c.mirostat_eta);
  visit("samplers", c.samplers);
  visit("reasoning_format", c.reasoning_format);
  visit("reasoning_budget_tokens", c.reasoning_budget);
  visit("reasoning_budget_message", c.reasoning_budget_message);
  visit("cache_prompt", c.cache_prompt);
}

}  // namespace gpqa
