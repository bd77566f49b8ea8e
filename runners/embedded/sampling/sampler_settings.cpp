#include "runners/embedded/sampling/sampler_settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

constexpr std::array<std::pair<SamplerKind, std::string_view>, 11> kNames = {{
    {SamplerKind::penalties, "penalties"},
    {SamplerKind::dry, "dry"},
    {SamplerKind::top_n_sigma, "top_n_sigma"},
    {SamplerKind::top_k, "top_k"},
    {SamplerKind::typ_p, "typ_p"},
    {SamplerKind::top_p, "top_p"},
    {SamplerKind::min_p, "min_p"},
    {SamplerKind::xtc, "xtc"},
    {SamplerKind::temperature, "temperature"},
    {SamplerKind::adaptive_p, "adaptive_p"},
    {SamplerKind::infill, "infill"},
}};
constexpr float kMaxFloat = std::numeric_limits<float>::max();
constexpr std::int32_t kMaxInt = std::numeric_limits<std::int32_t>::max();

[[noreturn]] void refuse(std::string_view field, std::string_view expected, const std::string& found) {
  throw InputError(fmt::format("sampling: {} must be {}, found {}", field, expected, found));
}

float to_float(std::string_view field, double value) {
  if (!(std::abs(value) <= static_cast<double>(kMaxFloat))) {
    refuse(field, "a number that a float can hold", fmt::to_string(value));
  }
  return static_cast<float>(value);
}

// llama-server would take the number's lowest 32 bits.
std::int32_t to_int(std::string_view field, std::int64_t value) {
  if (value < std::numeric_limits<std::int32_t>::min() || value > kMaxInt) {
    refuse(field, "a 32-bit integer", fmt::to_string(value));
  }
  return static_cast<std::int32_t>(value);
}

// One field: what is asked for takes the place of what is there, within bounds.
void take(float& field, const std::optional<double>& asked, std::string_view name, float least = -kMaxFloat,
          float most = kMaxFloat) {
  if (asked) field = std::clamp(to_float(name, *asked), least, most);
}

void take(std::int32_t& field, const std::optional<std::int64_t>& asked, std::string_view name,
          std::int32_t least = std::numeric_limits<std::int32_t>::min(), std::int32_t most = kMaxInt) {
  if (asked) field = std::clamp(to_int(name, *asked), least, most);
}

template <class Value>
void take_baked(Value& field, const std::optional<Value>& baked) {
  if (baked) field = *baked;
}

std::vector<SamplerKind> asked_samplers(const std::vector<std::string>& names) {
  std::vector<SamplerKind> kinds;
  for (const auto& name : names) {
    const auto kind = sampler_kind(name);
    if (!kind) {
      std::vector<std::string_view> known;
      for (const auto& entry : kNames) {
        if (entry.first != SamplerKind::infill) known.push_back(entry.second);
      }
      refuse("samplers", fmt::format("a list of {}", fmt::join(known, ", ")), fmt::format("\"{}\"", name));
    }
    kinds.push_back(*kind);
  }
  return kinds;
}

// Names that aren't known are skipped, as llama-server does when it loads the model.
std::vector<SamplerKind> baked_samplers(std::string_view sequence) {
  std::vector<SamplerKind> kinds;
  while (!sequence.empty()) {
    const auto end = std::min(sequence.find(';'), sequence.size());
    if (const auto kind = sampler_kind(sequence.substr(0, end))) kinds.push_back(*kind);
    sequence.remove_prefix(std::min(end + 1, sequence.size()));
  }
  return kinds;
}

void take_baked(SamplerSettings& settings, const BakedSampling& baked) {
  if (baked.sequence && !baked.sequence->empty()) settings.samplers = baked_samplers(*baked.sequence);
  take_baked(settings.top_k, baked.top_k);
  take_baked(settings.top_p, baked.top_p);
  take_baked(settings.min_p, baked.min_p);
  take_baked(settings.xtc_probability, baked.xtc_probability);
  take_baked(settings.xtc_threshold, baked.xtc_threshold);
  take_baked(settings.temperature, baked.temp);
  take_baked(settings.repeat_last_n, baked.penalty_last_n);
  take_baked(settings.repeat_penalty, baked.penalty_repeat);
  take_baked(settings.mirostat, baked.mirostat);
  take_baked(settings.mirostat_tau, baked.mirostat_tau);
  take_baked(settings.mirostat_eta, baked.mirostat_eta);
  settings.suppress_tokens = baked.suppress_tokens;
}

void require_at_least(std::string_view field, std::int32_t value, std::int32_t least) {
  if (value < least) refuse(field, fmt::format("{} or more", least), fmt::to_string(value));
}

}  // namespace

std::string_view sampler_name(SamplerKind kind) {
  return std::find_if(kNames.begin(), kNames.end(), [kind](const auto& entry) { return entry.first == kind; })
      ->second;
}

std::optional<SamplerKind> sampler_kind(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (plain == "nucleus") return SamplerKind::top_p;
  if (plain == "temp") return SamplerKind::temperature;
  if (plain == "typ") return SamplerKind::typ_p;
  for (const auto& [kind, canonical] : kNames) {
    std::string dashed(canonical);
    std::replace(dashed.begin(), dashed.end(), '_', '-');
    std::string joined(canonical);
    std::erase(joined, '_');
    if (plain == canonical || plain == dashed || plain == joined) return kind;
  }
  return std::nullopt;
}

bool SamplerSettings::dry_active() const {
  return dry_multiplier != 0 && dry_base >= 1 && dry_penalty_last_n > 0 && mirostat == 0 &&
         std::find(samplers.begin(), samplers.end(), SamplerKind::dry) != samplers.end();
}

SamplerSettings resolve(const SamplingConfig& asked, const BakedSampling& baked) {
  SamplerSettings settings;
  take_baked(settings, baked);

  take(settings.temperature, asked.temperature, "temperature", 0);
  take(settings.top_k, asked.top_k, "top_k", 0);
  take(settings.top_p, asked.top_p, "top_p", 0, 1);
  take(settings.min_p, asked.min_p, "min_p", 0, 1);
  take(settings.min_keep, asked.min_keep, "min_keep");
  take(settings.typical_p, asked.typical_p, "typical_p");
  take(settings.top_n_sigma, asked.top_n_sigma, "top_n_sigma");
  take(settings.xtc_probability, asked.xtc_probability, "xtc_probability", 0, 1);
  take(settings.xtc_threshold, asked.xtc_threshold, "xtc_threshold", 0, 1);
  take(settings.dynatemp_range, asked.dynatemp_range, "dynatemp_range");
  take(settings.dynatemp_exponent, asked.dynatemp_exponent, "dynatemp_exponent");
  take(settings.repeat_last_n, asked.repeat_last_n, "repeat_last_n");
  if (asked.repeat_last_n) require_at_least("repeat_last_n", settings.repeat_last_n, 0);
  take(settings.repeat_penalty, asked.repeat_penalty, "repeat_penalty");
  take(settings.presence_penalty, asked.presence_penalty, "presence_penalty");
  take(settings.frequency_penalty, asked.frequency_penalty, "frequency_penalty");
  take(settings.dry_multiplier, asked.dry_multiplier, "dry_multiplier");
  if (const float by_default = settings.dry_base; asked.dry_base) {
    take(settings.dry_base, asked.dry_base, "dry_base");
    if (settings.dry_base < 1) settings.dry_base = by_default;
  }
  take(settings.dry_allowed_length, asked.dry_allowed_length, "dry_allowed_length");
  take(settings.dry_penalty_last_n, asked.dry_penalty_last_n, "dry_penalty_last_n");
  if (asked.dry_sequence_breakers) settings.dry_sequence_breakers = *asked.dry_sequence_breakers;
  take(settings.mirostat, asked.mirostat, "mirostat", 0, 2);
  take(settings.mirostat_tau, asked.mirostat_tau, "mirostat_tau");
  take(settings.mirostat_eta, asked.mirostat_eta, "mirostat_eta");
  if (asked.samplers) settings.samplers = asked_samplers(*asked.samplers);
  take(settings.reasoning_budget, asked.reasoning_budget, "reasoning_budget_tokens");
  if (asked.reasoning_budget_message) settings.reasoning_budget_message = *asked.reasoning_budget_message;
  check(settings);
  return settings;
}

void check(const SamplerSettings& settings) {
  const std::array<std::pair<std::string_view, float>, 18> floats = {{
      {"temperature", settings.temperature},
      {"top_p", settings.top_p},
      {"min_p", settings.min_p},
      {"typical_p", settings.typical_p},
      {"top_n_sigma", settings.top_n_sigma},
      {"xtc_probability", settings.xtc_probability},
      {"xtc_threshold", settings.xtc_threshold},
      {"dynatemp_range", settings.dynatemp_range},
      {"dynatemp_exponent", settings.dynatemp_exponent},
      {"repeat_penalty", settings.repeat_penalty},
      {"presence_penalty", settings.presence_penalty},
      {"frequency_penalty", settings.frequency_penalty},
      {"dry_multiplier", settings.dry_multiplier},
      {"dry_base", settings.dry_base},
      {"mirostat_tau", settings.mirostat_tau},
      {"mirostat_eta", settings.mirostat_eta},
      {"adaptive_target", settings.adaptive_target},
      {"adaptive_decay", settings.adaptive_decay},
  }};
  for (const auto& [field, value] : floats) {
    if (!std::isfinite(value)) refuse(field, "a finite number", fmt::to_string(value));
  }
  if (!(settings.repeat_penalty > 0) || !std::isfinite(1 / settings.repeat_penalty)) {
    refuse("repeat_penalty", "greater than 0", fmt::to_string(settings.repeat_penalty));
  }
  if (settings.adaptive_decay < 0 || settings.adaptive_decay > 0.99f) {
    refuse("adaptive_decay", "between 0 and 0.99", fmt::to_string(settings.adaptive_decay));
  }
  require_at_least("min_keep", settings.min_keep, 0);
  require_at_least("dry_allowed_length", settings.dry_allowed_length, 0);
  require_at_least("dry_penalty_last_n", settings.dry_penalty_last_n, 0);
  require_at_least("reasoning_budget_tokens", settings.reasoning_budget, -1);
  if (settings.mirostat < 0 || settings.mirostat > 2) {
    refuse("mirostat", "0, 1 or 2", fmt::to_string(settings.mirostat));
  }
  if (settings.dry_sequence_breakers.empty()) {
    refuse("dry_sequence_breakers", "a list of at least one text", "an empty list");
  }
  for (const auto& [token, bias] : settings.logit_bias) {
    if (!(bias <= kMaxFloat))
      refuse("logit_bias", "finite or -inf", fmt::format("{} for token {}", bias, token));
  }
  const auto& samplers = settings.samplers;
  if (std::find(samplers.begin(), samplers.end(), SamplerKind::infill) != samplers.end()) {
    refuse("samplers", "without infill, which is for completing code and isn't built here", "infill");
  }
}

nlohmann::ordered_json reported(const SamplerSettings& settings) {
  nlohmann::ordered_json json;
  json["temperature"] = settings.temperature;
  json["top_k"] = settings.top_k;
  json["top_p"] = settings.top_p;
  json["min_p"] = settings.min_p;
  json["min_keep"] = settings.min_keep;
  json["typical_p"] = settings.typical_p;
  json["top_n_sigma"] = settings.top_n_sigma;
  json["xtc_probability"] = settings.xtc_probability;
  json["xtc_threshold"] = settings.xtc_threshold;
  json["dynatemp_range"] = settings.dynatemp_range;
  json["dynatemp_exponent"] = settings.dynatemp_exponent;
  json["repeat_last_n"] = settings.repeat_last_n;
  json["repeat_penalty"] = settings.repeat_penalty;
  json["presence_penalty"] = settings.presence_penalty;
  json["frequency_penalty"] = settings.frequency_penalty;
  json["dry_multiplier"] = settings.dry_multiplier;
  json["dry_base"] = settings.dry_base;
  json["dry_allowed_length"] = settings.dry_allowed_length;
  json["dry_penalty_last_n"] = settings.dry_penalty_last_n;
  json["dry_sequence_breakers"] = settings.dry_sequence_breakers;
  json["mirostat"] = settings.mirostat;
  json["mirostat_tau"] = settings.mirostat_tau;
  json["mirostat_eta"] = settings.mirostat_eta;
  json["adaptive_target"] = settings.adaptive_target;
  json["adaptive_decay"] = settings.adaptive_decay;
  auto& samplers = json["samplers"] = nlohmann::ordered_json::array();
  for (const auto kind : settings.samplers) {
    samplers.push_back(sampler_name(kind));
  }
  auto& biases = json["logit_bias"] = nlohmann::ordered_json::array();
  for (const auto& [token, bias] : settings.logit_bias) {
    biases.push_back({{"bias", bias}, {"token", token}});  // -inf is written as null
  }
  json["reasoning_budget_tokens"] = settings.reasoning_budget;
  json["reasoning_budget_message"] = settings.reasoning_budget_message;
  json["suppress_tokens"] = settings.suppress_tokens;
  return json;
}

}  // namespace gpqa
