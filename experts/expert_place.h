// Which of a model's tensors lie in slices, one an expert, by their names.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace gpqa {

struct ExpertPlace {
  std::uint64_t layer = 0;
  std::string part;  // what the layer calls it: "ffn_down_exps.weight", "router.proj.weight"
};

// None: no expert has a slice of it. Both throw FormatError that names `path` for a tensor of experts that
// isn't known here: cut in the wrong way, or left whole, it would make a model that nobody trained.
std::optional<ExpertPlace> gguf_expert_place(std::string_view name, const std::filesystem::path& path);
// Names begin with model.language_model. or model. (the text model alone).
std::optional<ExpertPlace> checkpoint_expert_place(std::string_view name, const std::filesystem::path& path);

}  // namespace gpqa
