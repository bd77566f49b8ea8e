#include "harness/sampling_fields.h"

#include <cmath>
#include <limits>
#include <optional>
#include <type_traits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/suggest.h"
#include "prompts/input_error.h"
#include "results/run_record.h"

namespace gpqa {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kInt32Max = std::numeric_limits<std::int32_t>::max();

struct Range {
  std::string_view name;
  double low;
  double high;
  std::string_view hint = "";
};

// What lies outside is refused (400), or clamped without a word by llama-server.
constexpr Range kRanges[] = {
    {"temperature", 0, kInfinity},
    {"top_k", 0, kInt32Max, "0 switches it off"},
    {"top_p", 0, 1},
    {"min_p", 0, 1},
    {"min_keep", 0, kInt32Max},
    {"typical_p", 0, 1},
    {"top_n_sigma", -1, kInfinity, "-1 switches it off"},
    {"xtc_probability", 0, 1},
    {"xtc_threshold", 0, 1},
    {"dynatemp_range", 0, kInfinity},
    {"dynatemp_exponent", 0, kInfinity},
    {"repeat_last_n", -1, kInt32Max},
    {"repeat_penalty", 0, kInfinity},
    {"presence_penalty", -kInfinity, kInfinity},
    {"frequency_penalty", -kInfinity, kInfinity},
    {"dry_multiplier", 0, kInfinity},
    {"dry_base", 1, kInfinity, "the server replaces a smaller one by its own"},
    {"dry_allowed_length", 0, kInt32Max},
    {"dry_penalty_last_n", 0, kInt32Max, "for the whole context write its length, e.g. 32768"},
    {"mirostat", 0, 2},
    {"mirostat_tau", 0, kInfinity},
    {"mirostat_eta", 0, kInfinity},
    {"reasoning_budget_tokens", 0, kInt32Max,
     "a server reads -1 as \"my own\": write \"server\" for that, or a huge number for no limit"},
    {"max_tokens", 1, kInt32Max},
};

const std::vector<std::string> kSamplers = {"penalties", "dry", "top_n_sigma", "top_k",      "typ_p", "top_p",
                                            "min_p",     "xtc", "temperature", "adaptive_p", "infill"};
const std::vector<std::string> kReasoningFormats = {"none", "deepseek", "deepseek-legacy", "auto"};

struct Alias {
  std::string_view alias;
  std::string_view name;
};
constexpr Alias kAliases[] = {
    {"temp", "temperature"},
    {"typ_p", "typical_p"},
    {"repetition_penalty", "repeat_penalty"},
    {"dry_last_n", "dry_penalty_last_n"},
    {"breakers", "dry_sequence_breakers"},
    {"budget", "reasoning_budget_tokens"},
    {"reasoning_budget", "reasoning_budget_tokens"},
    {"thinking_budget_tokens", "reasoning_budget_tokens"},
    {"n_predict", "max_tokens"},
    {"max_completion_tokens", "max_tokens"},
    {"max_gen_toks", "max_tokens"},
    {"until", "stop"},
    {"seed_rule", "seed"},
};

enum class Kind { boolean, integer, number, text, list };

template <class T>
constexpr Kind kind_of() {
  if constexpr (std::is_same_v<T, bool>)
    return Kind::boolean;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return Kind::integer;
  else if constexpr (std::is_same_v<T, double>)
    return Kind::number;
  else if constexpr (std::is_same_v<T, std::string>)
    return Kind::text;
  else
    return Kind::list;
}

std::string_view words(Kind kind) {
  switch (kind) {
    case Kind::boolean:
      return "true or false";
    case Kind::integer:
      return "a whole number";
    case Kind::number:
      return "a number";
    case Kind::text:
      return "a text";
    case Kind::list:
      return "a list of texts";
  }
  return "";
}

[[noreturn]] void wrong(std::string_view name, std::string_view expected, const FieldValue& found) {
  throw InputError(fmt::format("'{}': expected {}, found {}", name, expected, field_text(found)));
}

void check_range(std::string_view name, double number, const FieldValue& value) {
  if (!std::isfinite(number)) wrong(name, "a finite number", value);
  for (const auto& range : kRanges) {
    if (range.name != name || (number >= range.low && number <= range.high)) continue;
    const auto bounds = std::isinf(range.high) ? fmt::format("at least {}", range.low)
                                               : fmt::format("{} to {}", range.low, range.high);
    wrong(name, range.hint.empty() ? bounds : fmt::format("{} ({})", bounds, range.hint), value);
  }
}

template <class T>
T converted(std::string_view name, const FieldValue& value) {
  if constexpr (std::is_same_v<T, double>)
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* same = std::get_if<T>(&value)) return *same;
  wrong(name, words(kind_of<T>()), value);
}

void check(std::string_view name, const std::string& text) {
  if (name != "reasoning_format") return;
  for (const auto& known : kReasoningFormats)
    if (known == text) return;
  throw InputError(
      fmt::format("'reasoning_format': unknown '{}'{}", text, suggestion(text, kReasoningFormats)));
}

void check(std::string_view name, const std::vector<std::string>& list) {
  if (name == "dry_sequence_breakers" && list.empty())
    throw InputError("'dry_sequence_breakers': expected at least one text; the server refuses an empty list");
  if (name != "samplers") return;
  for (const auto& sampler : list) {
    bool known = false;
    for (const auto& candidate : kSamplers) known = known || candidate == sampler;
    if (!known)
      throw InputError(fmt::format("'samplers': unknown '{}'{}", sampler, suggestion(sampler, kSamplers)));
  }
}

template <class T>
void check(std::string_view name, T number) {
  if constexpr (!std::is_same_v<T, bool>) check_range(name, static_cast<double>(number), FieldValue(number));
}

bool left_to_server(const FieldValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && *text == "server";
}

void set_seed(SamplingConfig& sampling, const FieldValue& value) {
  if (const auto* text = std::get_if<std::string>(&value); text != nullptr && *text != "constant") {
    sampling.seed_rule = parse_seed_rule(*text);
    sampling.constant_seed = 0;
    return;
  }
  const auto* number = std::get_if<std::int64_t>(&value);
  // 2^32-1 means "random" to llama-server.
  if (number == nullptr || *number < 0 || *number >= std::numeric_limits<std::uint32_t>::max())
    wrong("seed", "0 to 4294967294 for every request, \"per_trial\" or \"server\"", value);
  sampling.seed_rule = SeedRule::constant;
  sampling.constant_seed = static_cast<std::uint32_t>(*number);
}

// True if `name` is one of the fields that are always there.
bool set_fixed_field(SamplingConfig& sampling, std::string_view name, const FieldValue& value) {
  if (name == "max_tokens") {
    const auto tokens = converted<std::int64_t>(name, value);
    check(name, tokens);
    sampling.max_tokens = tokens;
  } else if (name == "thinking") {
    sampling.thinking = parse_thinking(converted<std::string>(name, value));
  } else if (name == "stop") {
    sampling.stop = converted<std::vector<std::string>>(name, value);
  } else if (name == "seed") {
    set_seed(sampling, value);
  } else {
    return false;
  }
  return true;
}

std::optional<Kind> kind_of_field(std::string_view name) {
  if (name == "max_tokens" || name == "seed") return Kind::integer;
  if (name == "thinking") return Kind::text;
  if (name == "stop") return Kind::list;
  std::optional<Kind> kind;
  SamplingConfig sampling;
  for_each_sampling_field(sampling, [&](std::string_view field_name, auto& field) {
    if (field_name == name) kind = kind_of<typename std::decay_t<decltype(field)>::value_type>();
  });
  return kind;
}

[[noreturn]] void unknown(std::string_view name) {
  for (const auto& [alias, field] : kAliases)
    if (alias == name) throw InputError(fmt::format("unknown field '{}'; did you mean '{}'?", name, field));
  throw InputError(fmt::format("unknown field '{}'{}", name, suggestion(name, sampling_field_names())));
}

FieldValue parse_value(std::string_view name, Kind kind, const std::string& text) {
  if (text == "server" || kind == Kind::text) return text;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
    wrong(name, words(kind), text);
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number_float()) return json.get<double>();
  if (kind != Kind::list) return text;
  std::vector<std::string> list;
  if (!json.is_array()) wrong(name, R"(a JSON list such as ["</s>"])", text);
  for (const auto& item : json) {
    if (!item.is_string()) wrong(name, R"(a JSON list of texts such as ["</s>"])", text);
    list.push_back(item.get<std::string>());
  }
  return list;
}

}  // namespace

std::string field_text(const FieldValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_arithmetic_v<T>)
          return fmt::format("{}", v);
        else
          return nlohmann::json(v).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      },
      value);
}

const std::vector<std::string>& sampling_field_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    SamplingConfig sampling;
    for_each_sampling_field(sampling, [&](const char* name, auto&) { all.emplace_back(name); });
    for (const char* name : {"max_tokens", "thinking", "stop", "seed"}) all.emplace_back(name);
    return all;
  }();
  return names;
}

void set_sampling_field(SamplingConfig& sampling, std::string_view name, const FieldValue& value) {
  if (set_fixed_field(sampling, name, value)) return;
  bool found = false;
  for_each_sampling_field(sampling, [&](std::string_view field_name, auto& field) {
    if (field_name != name) return;
    found = true;
    if (left_to_server(value)) {
      field.reset();
      return;
    }
    auto typed = converted<typename std::decay_t<decltype(field)>::value_type>(name, value);
    check(name, typed);
    field = std::move(typed);
  });
  if (!found) unknown(name);
}

std::pair<std::string, FieldValue> parse_assignment(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    throw InputError(fmt::format("'{}': expected NAME=VALUE, e.g. temperature=0.7", text));
  std::string name(text.substr(0, equals));
  for (auto& c : name)
    if (c == '-') c = '_';
  for (const auto& [alias, field] : kAliases)
    if (name == alias) name = field;
  const auto kind = kind_of_field(name);
  if (!kind) unknown(name);
  return {name, parse_value(name, *kind, std::string(text.substr(equals + 1)))};
}

std::vector<std::string> describe_sampling(const SamplingConfig& sampling) {
  std::vector<std::string> parts;
  for_each_sampling_field(sampling, [&](const char* name, const auto& field) {
    if (field) parts.push_back(fmt::format("{}={}", name, field_text(FieldValue(*field))));
  });
  parts.push_back(fmt::format("max_tokens={}", sampling.max_tokens));
  parts.push_back(fmt::format("thinking={}", to_string(sampling.thinking)));
  if (!sampling.stop.empty()) parts.push_back(fmt::format("stop={}", field_text(FieldValue(sampling.stop))));
  parts.push_back(sampling.seed_rule == SeedRule::constant
                      ? fmt::format("seed={}", sampling.constant_seed)
                      : fmt::format("seed={}", to_string(sampling.seed_rule)));
  return parts;
}

}  // namespace gpqa
