// How alike the experts of a layer are, by their weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "runners/model_files/tensor_view.h"

namespace gpqa {

// Of all pairs of two experts of a layer.
struct Cosines {
  double max = 0;
  std::uint32_t first = 0;  // the pair that has it
  std::uint32_t second = 0;
  double mean = 0;
  double mean_size = 0;  // of |cosine|
};

// A layer's tensors of which the last dimension counts experts.
struct ExpertTensors {
  std::uint32_t layer = 0;
  std::vector<const TensorView*> tensors;  // by name
};

struct LayerSimilarity {
  std::uint32_t layer = 0;
  std::uint32_t experts = 0;
  Cosines whole;                                           // an expert is all of its weights in one row
  std::vector<std::pair<std::string, Cosines>> by_tensor;  // "ffn_down_exps"
};

// Of a GGUF file (blk.N.ffn_{gate_up,gate,up,down}_exps.weight) or a checkpoint
// (layers.N.experts.{gate_up_proj,down_proj}), by layer. Throws InputError if there is none, naming `path`,
// or if a layer's tensors disagree about how many experts there are, or are of a type that can't be read.
std::vector<ExpertTensors> find_expert_tensors(std::span<const TensorView> tensors, const std::string& path);

// Dequantised piece by piece: memory for `kSimilarityFloats` at a time, whatever the model's size. `done` is
// told each piece of the file that isn't needed any more.
inline constexpr std::size_t kSimilarityFloats = 8u << 20;
LayerSimilarity compare_experts(const ExpertTensors& layer, const std::string& path, std::size_t threads,
                                const std::function<void(std::span<const std::byte>)>& done);

}  // namespace gpqa
