// Sets the fields of a SamplingConfig by name, as plans ([sampling]) and flags (--set) write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runners/sampling_config.h"

namespace gpqa {

using FieldValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

// Every name that can be set: llama-server's JSON names, then max_tokens, thinking, stop, seed.
const std::vector<std::string>& sampling_field_names();

// The word "server" leaves an optional field to the server; `seed` is a number or "per_trial" or "server".
// Throws InputError for an unknown name (with the nearest known one), a wrong type, or a value that the
// server would refuse or silently clamp.
void set_sampling_field(SamplingConfig& sampling, std::string_view name, const FieldValue& value);

// "temp=0.7" -> {"temperature", 0.7}: --set. Short names in use elsewhere are understood (temp,
// max_completion_tokens, ...). Lists are JSON: stop=["</s>"]. Throws InputError.
std::pair<std::string, FieldValue> parse_assignment(std::string_view text);

// As it is shown to people: 0.7, true, "deepseek", ["</s>"].
std::string field_text(const FieldValue& value);

// "temperature=1 top_k=64 ... max_tokens=12288 thinking=required seed=per_trial"; what is left to the server
// is not named.
std::vector<std::string> describe_sampling(const SamplingConfig& sampling);

}  // namespace gpqa
