#include "runners/embedded/sampling/baked_sampling.h"

#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

// llama-server reads an integer key from any number, cut to its whole part.
template <class Number>
std::optional<Number> number(const GgufFile& file, std::string_view name) {
  const std::string key = "general.sampling." + std::string(name);
  if (!file.has(key)) return std::nullopt;
  const double value = std::is_integral_v<Number> ? std::trunc(file.number(key)) : file.number(key);
  if (value < static_cast<double>(std::numeric_limits<Number>::lowest()) ||
      value > static_cast<double>(std::numeric_limits<Number>::max())) {
    throw FormatError(file.path().string(), key, fmt::format("{} is out of range", value));
  }
  return static_cast<Number>(value);
}

}  // namespace

BakedSampling read_baked_sampling(const GgufFile& file) {
  BakedSampling baked;
  if (constexpr std::string_view kKey = "general.sampling.sequence"; file.has(kKey)) {
    baked.sequence = std::string(file.text(kKey));
  }
  baked.top_k = number<std::int32_t>(file, "top_k");
  baked.top_p = number<float>(file, "top_p");
  baked.min_p = number<float>(file, "min_p");
  baked.xtc_probability = number<float>(file, "xtc_probability");
  baked.xtc_threshold = number<float>(file, "xtc_threshold");
  baked.temp = number<float>(file, "temp");
  baked.penalty_last_n = number<std::int32_t>(file, "penalty_last_n");
  baked.penalty_repeat = number<float>(file, "penalty_repeat");
  baked.mirostat = number<std::int32_t>(file, "mirostat");
  baked.mirostat_tau = number<float>(file, "mirostat_tau");
  baked.mirostat_eta = number<float>(file, "mirostat_eta");
  if (constexpr std::string_view kKey = "tokenizer.ggml.suppress_tokens"; file.has(kKey)) {
    for (const std::int64_t token : file.integers(kKey)) {
      if (token >= 0 && token <= std::numeric_limits<int>::max()) {
        baked.suppress_tokens.push_back(static_cast<int>(token));
      }
    }
  }
  return baked;
}

}  // namespace gpqa
