#include "experts/weight_findings.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "experts/drop_map.h"
#include "experts/gram.h"
#include "experts/share_work.h"
#include "experts/small_json.h"
#include "prompts/input_error.h"
#include "runners/model_files/dequantize.h"

namespace gpqa {
namespace {

struct Named {
  std::size_t layer;
  std::string_view tensor;
};

// "blk.3.ffn_down_exps.weight" -> 3, "ffn_down_exps"; "...layers.3.experts.down_proj" -> 3, "down_proj".
std::optional<Named> expert_tensor(std::string_view name) {
  const auto split = [&](std::string_view before, std::string_view after) -> std::optional<Named> {
    const auto at = name.rfind(before);
    if (at == std::string_view::npos || (at > 0 && before[0] != '.' && name[at - 1] != '.')) {
      return std::nullopt;
    }
    const auto rest = name.substr(at + before.size());
    const auto point = rest.find('.');
    const auto layer = layer_number(rest.substr(0, point));
    if (point == std::string_view::npos || !layer || !rest.substr(point).starts_with(after)) {
      return std::nullopt;
    }
    return Named{*layer, rest.substr(point + after.size())};
  };
  if (auto named = split("blk.", ".")) {
    for (const std::string_view tensor :
         {"ffn_gate_up_exps", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"}) {
      if (named->tensor == fmt::format("{}.weight", tensor)) {
        return Named{named->layer, tensor};
      }
    }
  }
  if (auto named = split("layers.", ".experts.")) {
    for (const std::string_view tensor : {"gate_up_proj", "down_proj"}) {
      if (named->tensor == tensor) {
        return Named{named->layer, tensor};
      }
    }
  }
  return std::nullopt;
}

std::uint32_t experts_of(const TensorView& tensor) {
  return static_cast<std::uint32_t>(tensor.shape.back());
}

void check_tensor(const TensorView& tensor, const std::string& path) {
  if (tensor.shape.size() != 3 || tensor.shape.back() < 2 || tensor.shape.back() > kMostExperts ||
      tensor.elements() == 0) {
    throw FormatError(path, tensor.name,
                      fmt::format("expected three dimensions, the last of 2 to {} experts", kMostExperts));
  }
  if (!can_dequantize(tensor.format)) {
    throw FormatError(
        path, tensor.name,
        fmt::format("weights of type {} can't be read here; use a file in another type", tensor.format.name));
  }
}

// gram: lower triangle of the dot products, [experts, experts].
Cosines cosines_of(std::span<const double> gram, std::uint32_t experts) {
  Cosines cosines{.max = -2};
  double pairs = 0;
  for (std::uint32_t i = 0; i < experts; ++i) {
    for (std::uint32_t j = 0; j < i; ++j) {
      const double norms =
          std::sqrt(gram[std::size_t{i} * experts + i]) * std::sqrt(gram[std::size_t{j} * experts + j]);
      const double cosine = norms > 0 ? gram[std::size_t{i} * experts + j] / norms : 0;
      if (cosine > cosines.max) {
        cosines.max = cosine;
        cosines.first = j;
        cosines.second = i;
      }
      cosines.mean += cosine;
      cosines.mean_size += std::abs(cosine);
      pairs += 1;
    }
  }
  cosines.mean /= pairs;
  cosines.mean_size /= pairs;
  return cosines;
}

// Adds the dot products of a tensor's experts.
void add_tensor(const TensorView& tensor, std::span<double> gram, std::size_t threads,
                const std::function<void(std::span<const std::byte>)>& done) {
  const std::size_t experts = experts_of(tensor);
  const std::size_t elements = tensor.elements() / experts;  // of one; whole rows, so whole blocks
  const std::size_t expert_bytes = elements / tensor.format.elements * tensor.format.bytes;
  // As many columns as fit, in whole blocks of any format and whole steps of the sums.
  constexpr std::size_t kStep = 256;
  const std::size_t most = std::max(kSimilarityFloats / experts / kStep, std::size_t{1}) * kStep;
  std::vector<float> block;
  for (std::size_t start = 0; start < elements; start += most) {
    const auto columns = std::min(most, elements - start);
    // A format without blocks may have rows of any length: zeros fill the last step up, and add nothing.
    const auto padded = (columns + 7) / 8 * 8;
    block.assign(experts * padded, 0.0f);
    const auto piece = [&](std::size_t expert) {
      return tensor.bytes.subspan(
          expert * expert_bytes + start / tensor.format.elements * tensor.format.bytes,
          columns / tensor.format.elements * tensor.format.bytes);
    };
    share_work(threads, experts, [&](std::size_t expert) {
      dequantize(tensor.format, piece(expert), std::span(block).subspan(expert * padded, columns));
    });
    add_gram(block, experts, padded, gram, threads);
    for (std::size_t expert = 0; expert < experts; ++expert) {
      done(piece(expert));
    }
  }
}

}  // namespace

std::vector<ExpertTensors> find_expert_tensors(std::span<const TensorView> tensors, const std::string& path) {
  std::map<std::size_t, ExpertTensors> layers;
  for (const auto& tensor : tensors) {
    if (const auto named = expert_tensor(tensor.name)) {
      check_tensor(tensor, path);
      auto& layer = layers[named->layer];
      layer.layer = static_cast<std::uint32_t>(named->layer);
      if (!layer.tensors.empty() && experts_of(*layer.tensors[0]) != experts_of(tensor)) {
        throw FormatError(path, tensor.name,
                          fmt::format("{} experts, but {} has {}", experts_of(tensor), layer.tensors[0]->name,
                                      experts_of(*layer.tensors[0])));
      }
      layer.tensors.push_back(&tensor);
    }
  }
  if (layers.empty()) {
    throw FormatError(
        path, "",
        "no tensors of experts (blk.N.ffn_down_exps.weight, or layers.N.experts.down_proj): not a "
        "mixture of experts, or of names that aren't known here");
  }
  std::vector<ExpertTensors> found;
  for (auto& [index, layer] : layers) {
    std::sort(layer.tensors.begin(), layer.tensors.end(), [](auto* a, auto* b) { return a->name < b->name; });
    found.push_back(std::move(layer));
  }
  return found;
}

LayerSimilarity compare_experts(const ExpertTensors& layer, const std::string& path, std::size_t threads,
                                const std::function<void(std::span<const std::byte>)>& done) {
  const auto experts = experts_of(*layer.tensors[0]);
  LayerSimilarity found{.layer = layer.layer, .experts = experts, .whole = {}, .by_tensor = {}};
  std::vector<double> whole(std::size_t{experts} * experts);
  for (const auto* tensor : layer.tensors) {
    std::vector<double> gram(whole.size());
    add_tensor(*tensor, gram, threads, done);
    for (std::uint32_t expert = 0; expert < experts; ++expert) {
      if (!std::isfinite(gram[std::size_t{expert} * experts + expert])) {
        throw FormatError(path, tensor->name,
                          fmt::format("expert {}: its weights aren't all finite numbers", expert));
      }
    }
    found.by_tensor.emplace_back(expert_tensor(tensor->name)->tensor, cosines_of(gram, experts));
    std::transform(gram.begin(), gram.end(), whole.begin(), whole.begin(), std::plus<>());
  }
  found.whole = cosines_of(whole, experts);
  return found;
}

}  // namespace gpqa
