#include "experts/imatrix_entries.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "experts/expert_place.h"
#include "prompts/input_error.h"

namespace gpqa {

std::optional<std::uint64_t> ImatrixExperts::layer_of(std::string_view weight) const {
  const auto place = gguf_expert_place(weight, path_);
  return place && place->part.find("_exps.") != std::string::npos ? std::optional(place->layer)
                                                                  : std::nullopt;
}

void ImatrixExperts::found(std::string_view weight, std::uint64_t experts) {
  if (experts_.value_or(experts) != experts) {
    throw FormatError(path_.string(), std::string(weight),
                      fmt::format("is of {} experts, others are of {}", experts, *experts_));
  }
  experts_ = experts;
}

void ImatrixExperts::add(std::string_view weight, std::uint64_t values, std::uint64_t counts) {
  const auto place = gguf_expert_place(weight, path_);
  if (!place) {
    return;
  }
  if (place->part == "ffn_gate_inp.weight") {
    router_[place->layer] = values;
    return;
  }
  if (place->layer >= kMostLayers) {
    throw FormatError(path_.string(), std::string(weight),
                      fmt::format("expected layers below {}", kMostLayers));
  }
  layers_ = std::max<std::size_t>(layers_, place->layer + 1);
  if (counts > 1) {
    found(weight, counts);
  }
  if (place->part != "ffn_down_exps.weight") {
    up_[place->layer] = values;
  }
}

std::uint32_t ImatrixExperts::experts(std::optional<std::uint32_t> said) const {
  auto shown = experts_;
  for (const auto& [layer, values] : up_) {
    const auto router = router_.find(layer);
    if (!shown && router != router_.end() && router->second > 0 && values % router->second == 0) {
      shown = values / router->second;
    }
  }
  if (!shown && !said) {
    throw InputError(fmt::format(
        "{}: nothing in it tells how many experts a layer has; say it with --experts", path_.string()));
  }
  if (shown && said && *shown != *said) {
    throw InputError(
        fmt::format("{}: it shows {} experts a layer, --experts says {}", path_.string(), *shown, *said));
  }
  const auto experts = shown ? *shown : *said;
  if (experts < 1 || experts > kMostExperts) {
    throw FormatError(path_.string(), "",
                      fmt::format("{} experts; expected up to {}", experts, kMostExperts));
  }
  return static_cast<std::uint32_t>(experts);
}

}  // namespace gpqa
