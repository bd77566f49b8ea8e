#include "experts/expert_slices.h"

#include <algorithm>

#include <fmt/format.h>

#include "experts/drop_map.h"
#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/safetensors_reader.h"

namespace gpqa {
namespace {

using Part = std::vector<std::string_view>;  // names that it may have

std::span<const Part> gguf_parts() {
  static const Part parts[] = {{"ffn_gate_inp.weight"},
                               {"ffn_gate_up_exps.weight", "ffn_gate_exps.weight"},
                               {"ffn_gate_up_exps.weight", "ffn_up_exps.weight"},
                               {"ffn_down_exps.weight"}};
  return parts;
}

std::span<const Part> checkpoint_parts() {
  static const Part parts[] = {
      {"router.proj.weight"}, {"router.per_expert_scale"}, {"experts.gate_up_proj"}, {"experts.down_proj"}};
  return parts;
}

}  // namespace

ExpertSlices::ExpertSlices(const GgufFile& file)
    : path_(file.path()), parts_(gguf_parts()), tensors_(file.tensors()) {
  find_places(gguf_expert_place);
}

ExpertSlices::ExpertSlices(const SafetensorsCheckpoint& checkpoint)
    : path_(checkpoint.path()), parts_(checkpoint_parts()), tensors_(checkpoint.tensors()) {
  find_places(checkpoint_expert_place);
}

void ExpertSlices::find_places(std::optional<ExpertPlace> (*place_of)(std::string_view,
                                                                      const std::filesystem::path&)) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const auto& place = places_.emplace_back(place_of(tensors_[i].name, path_));
    if (!place) {
      continue;
    }
    if (place->layer >= kMostLayers) {
      throw FormatError(path_.string(), fmt::format("tensor {}", tensors_[i].name),
                        fmt::format("expected layers below {}", kMostLayers));
    }
    layers_.resize(std::max<std::size_t>(layers_.size(), place->layer + 1));
    layers_[place->layer].push_back(i);
  }
  if (layers_.empty()) {
    throw FormatError(path_.string(), "", "no tensor in it is of experts: nothing to drop or to compare");
  }
  for (auto& indices : layers_) {
    std::sort(indices.begin(), indices.end(),
              [this](auto a, auto b) { return places_[a]->part < places_[b]->part; });
  }
}

std::uint64_t ExpertSlices::experts_of(std::size_t index) const {
  const auto& tensor = tensors_[index];
  // A row's blocks belong to one expert; those of a tensor that is one row would belong to several.
  const bool whole = tensor.format.elements == 1 ||
                     (tensor.shape.size() > 1 && tensor.row_elements() % tensor.format.elements == 0);
  return tensor.shape.empty() || !whole ? 0 : tensor.shape.back();
}

void ExpertSlices::check(std::uint64_t experts) const {
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    for (const auto& names : parts_) {
      const bool there = std::any_of(layers_[layer].begin(), layers_[layer].end(), [&](auto index) {
        return std::find(names.begin(), names.end(), places_[index]->part) != names.end();
      });
      if (!there) {
        throw FormatError(path_.string(), fmt::format("layer {}", layer),
                          fmt::format("{} is missing; expected a mixture of experts in every layer",
                                      fmt::join(names, " or ")));
      }
    }
    for (const auto index : layers_[layer]) {
      if (experts_of(index) != experts) {
        throw FormatError(
            path_.string(), fmt::format("tensor {}", tensors_[index].name),
            experts_of(index) == 0
                ? fmt::format("its experts share blocks of {}", tensors_[index].format.name)
                : fmt::format("is of {} experts; the model says {}", experts_of(index), experts));
      }
    }
  }
}

}  // namespace gpqa
