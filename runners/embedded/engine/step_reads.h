// What one step must read from memory, however it is computed: each weight that it needs once, and each key
// and value that a sequence sees once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runners/embedded/model/gemma4.h"
#include "runners/embedded/model/model_source.h"

namespace gpqa {

// Bytes as the file holds them.
struct WeightBytes {
  std::uint64_t dense = 0;            // what every step reads: all layers, but for their experts
  std::uint64_t head = 0;             // only where logits are wanted
  std::uint64_t embedding = 0;        // a token's row
  std::vector<std::uint64_t> expert;  // one expert of each layer
};

WeightBytes weight_bytes(const ModelSource& source);

// Of keys and values, in one layer and in all: of each slot those that its tokens in this batch see.
std::uint64_t kv_bytes_read(const KvShape& layer, const Batch& batch);
std::uint64_t kv_bytes_read(const Gemma4Config& config, KvType type, const Batch& batch);

// Different ones among those that a step's tokens chose.
std::size_t distinct_experts(std::vector<std::int32_t> chosen);

struct StepReads {
  std::uint64_t weights = 0;
  std::uint64_t kv = 0;
  std::vector<std::size_t> experts;  // different ones that each layer's tokens chose
};

// Runs the step to see what its router chooses; it may be one that has run before.
StepReads count_reads(Backend& backend, Gemma4& model, const WeightBytes& bytes, const Batch& batch,
                      std::span<const std::size_t> wanted);

}  // namespace gpqa
