#include "runners/embedded/sampling/baked_sampling.h"

#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "runners/model_files/checkpoint_json.h"

namespace gpqa {
namespace {

// Numbers by the last part of their GGUF keys.
struct Numbers {
  std::string path;
  std::function<std::optional<double>(std::string_view)> find;

  // llama-server reads an integer key from any number, cut to its whole part.
  template <class Number>
  std::optional<Number> get(std::string_view name) const {
    const auto found = find(name);
    if (!found) return std::nullopt;
    const double value = std::is_integral_v<Number> ? std::trunc(*found) : *found;
    if (value < static_cast<double>(std::numeric_limits<Number>::lowest()) ||
        value > static_cast<double>(std::numeric_limits<Number>::max())) {
      throw FormatError(path, "general.sampling." + std::string(name),
                        fmt::format("{} is out of range", value));
    }
    return static_cast<Number>(value);
  }
};

BakedSampling read_numbers(const Numbers& numbers) {
  BakedSampling baked;
  baked.top_k = numbers.get<std::int32_t>("top_k");
  baked.top_p = numbers.get<float>("top_p");
  baked.min_p = numbers.get<float>("min_p");
  baked.xtc_probability = numbers.get<float>("xtc_probability");
  baked.xtc_threshold = numbers.get<float>("xtc_threshold");
  baked.temp = numbers.get<float>("temp");
  baked.penalty_last_n = numbers.get<std::int32_t>("penalty_last_n");
  baked.penalty_repeat = numbers.get<float>("penalty_repeat");
  baked.mirostat = numbers.get<std::int32_t>("mirostat");
  baked.mirostat_tau = numbers.get<float>("mirostat_tau");
  baked.mirostat_eta = numbers.get<float>("mirostat_eta");
  return baked;
}

template <class Integer>
std::vector<int> tokens(std::span<const Integer> ids) {
  std::vector<int> all;
  for (const auto id : ids) {
    if (id >= 0 && id <= std::numeric_limits<int>::max()) all.push_back(static_cast<int>(id));
  }
  return all;
}

}  // namespace

BakedSampling read_baked_sampling(const GgufFile& file) {
  const std::string path = file.path().string();
  auto baked = read_numbers({path, [&](std::string_view name) -> std::optional<double> {
                               const std::string key = "general.sampling." + std::string(name);
                               if (!file.has(key)) return std::nullopt;
                               return file.number(key);
                             }});
  if (constexpr std::string_view kKey = "general.sampling.sequence"; file.has(kKey)) {
    baked.sequence = std::string(file.text(kKey));
  }
  if (constexpr std::string_view kKey = "tokenizer.ggml.suppress_tokens"; file.has(kKey)) {
    const auto ids = file.integers(kKey);
    baked.suppress_tokens = tokens(std::span<const std::int64_t>(ids));
  }
  return baked;
}

BakedSampling read_baked_sampling(const std::filesystem::path& folder, std::span<const TokenId> suppressed) {
  const auto path = folder / "generation_config.json";
  const auto json = read_checkpoint_json(path).value_or(nlohmann::json::object());
  const auto field = [&](const char* name) -> const nlohmann::json* {
    const auto it = json.find(name);
    return it == json.end() || it->is_null() ? nullptr : &*it;
  };
  auto baked = read_numbers({path.string(), [&](std::string_view name) -> std::optional<double> {
                               const std::string key = name == "temp" ? "temperature" : std::string(name);
                               const auto* value = field(key.c_str());
                               if (value == nullptr) return std::nullopt;
                               if (!value->is_number())
                                 throw FormatError(path.string(), key, "expected a number");
                               return value->get<double>();
                             }});
  if (const auto* sequence = field("sequence"); sequence != nullptr && sequence->is_string()) {
    baked.sequence = sequence->get<std::string>();
  }
  baked.suppress_tokens = tokens(suppressed);
  return baked;
}

}  // namespace gpqa
