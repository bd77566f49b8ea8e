#include "experts/expert_place.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

// "12.REST": the number, and the rest.
std::optional<ExpertPlace> numbered(std::string_view name) {
  ExpertPlace place;
  const auto* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data(), end, place.layer);
  if (error != std::errc() || rest == end || *rest != '.') {
    return std::nullopt;
  }
  place.part.assign(rest + 1, end);
  return place;
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void fail(std::string_view name, const std::filesystem::path& path) {
  throw FormatError(path.string(), fmt::format("tensor {}", name),
                    "it seems to be of experts, but isn't one that is known here; expected Gemma 4's");
}

}  // namespace

std::optional<ExpertPlace> gguf_expert_place(std::string_view name, const std::filesystem::path& path) {
  constexpr std::string_view kBlock = "blk.";
  // Each with .weight, .scale, .input_scale or .bias: the expert is the last dimension of all.
  constexpr std::array<std::string_view, 4> kExperts = {"ffn_gate_up_exps", "ffn_gate_exps", "ffn_up_exps",
                                                        "ffn_down_exps"};
  constexpr std::array<std::string_view, 4> kOfExperts = {"weight", "scale", "input_scale", "bias"};
  constexpr std::array<std::string_view, 2> kRouter = {"ffn_gate_inp.weight", "ffn_gate_inp.bias"};
  constexpr std::string_view kRouterScale = "ffn_gate_inp.scale";  // of the router's input: one vector
  auto place = name.starts_with(kBlock) ? numbered(name.substr(kBlock.size())) : std::nullopt;
  if (place) {
    const std::string_view part = place->part;
    const auto dot = part.find('.');
    const bool of_experts = dot != std::string_view::npos && is_one_of(part.substr(0, dot), kExperts) &&
                            is_one_of(part.substr(dot + 1), kOfExperts);
    if (of_experts || is_one_of(part, kRouter)) {
      return place;
    }
    if (part == kRouterScale) {
      return std::nullopt;
    }
  }
  if (name.find("exps") != std::string_view::npos || name.find("ffn_gate_inp.") != std::string_view::npos ||
      name.find("exp_probs") != std::string_view::npos) {
    fail(name, path);
  }
  return std::nullopt;
}

std::optional<ExpertPlace> checkpoint_expert_place(std::string_view name, const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 2> kLayers = {"model.language_model.layers.", "model.layers."};
  constexpr std::array<std::string_view, 4> kParts = {"experts.gate_up_proj", "experts.down_proj",
                                                      "router.proj.weight", "router.per_expert_scale"};
  constexpr std::string_view kRouterScale = "router.scale";  // of the router's input: one vector
  for (const auto layers : kLayers) {
    if (!name.starts_with(layers)) {
      continue;
    }
    auto place = numbered(name.substr(layers.size()));
    if (place && is_one_of(place->part, kParts)) {
      return place;
    }
    if (place && place->part == kRouterScale) {
      return std::nullopt;
    }
  }
  if (name.find(".experts.") != std::string_view::npos || name.find(".router.") != std::string_view::npos) {
    fail(name, path);
  }
  return std::nullopt;
}

}  // namespace gpqa
