#include "runners/embedded/engine/step_reads.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace gpqa {
namespace {

constexpr const char* kExperts[] = {"ffn_gate_up_exps.weight", "ffn_gate_exps.weight", "ffn_up_exps.weight",
                                    "ffn_down_exps.weight"};
constexpr const char* kDense[] = {
    "attn_norm.weight",       "attn_qkv.weight",       "attn_q.weight",
    "attn_k.weight",          "attn_v.weight",         "attn_output.weight",
    "attn_q_norm.weight",     "attn_k_norm.weight",    "post_attention_norm.weight",
    "ffn_norm.weight",        "ffn_gate.weight",       "ffn_up.weight",
    "ffn_down.weight",        "post_ffw_norm.weight",  "post_ffw_norm_1.weight",
    "post_ffw_norm_2.weight", "pre_ffw_norm_2.weight", "ffn_gate_inp.weight",
    "ffn_gate_inp.scale",     "ffn_down_exps.scale",   "layer_output_scale.weight"};

std::uint64_t bytes_of(const ModelSource& source, const std::string& name) {
  const TensorView* tensor = source.find(name);
  return tensor == nullptr ? 0 : tensor->bytes.size();
}

class ExpertCounter final : public LayerObserver {
 public:
  explicit ExpertCounter(Backend& backend) : backend_(backend) {}
  void on_layer(const LayerView& layer) override {
    counts_.push_back(distinct_experts(backend_.read_back(*layer.routing).experts));
  }
  std::vector<std::size_t> counts() && { return std::move(counts_); }

 private:
  Backend& backend_;
  std::vector<std::size_t> counts_;
};

}  // namespace

WeightBytes weight_bytes(const ModelSource& source) {
  WeightBytes bytes;
  const auto& config = source.config();
  const std::uint64_t embedding = bytes_of(source, "token_embd.weight");
  const std::uint64_t output = bytes_of(source, "output.weight");
  bytes.embedding = embedding / config.vocabulary;
  bytes.head = bytes_of(source, "output_norm.weight") + (output > 0 ? output : embedding);
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const auto sum = [&](const auto& names) {
      std::uint64_t all = 0;
      for (const char* name : names) all += bytes_of(source, fmt::format("blk.{}.{}", i, name));
      return all;
    };
    bytes.dense += sum(kDense);
    bytes.expert.push_back(sum(kExperts) / config.experts);
  }
  return bytes;
}

std::uint64_t kv_bytes_read(const KvShape& layer, const Batch& batch) {
  std::map<std::uint32_t, std::pair<std::size_t, std::size_t>> slots;  // lowest and highest position
  for (std::size_t t = 0; t < batch.size(); ++t) {
    const auto position = static_cast<std::size_t>(batch.positions[t]);
    auto& [low, high] = slots.try_emplace(batch.slots[t], position, position).first->second;
    low = std::min(low, position);
    high = std::max(high, position);
  }
  KvShape cell = layer;
  cell.slots = cell.cells = 1;
  std::uint64_t all = 0;
  for (const auto& [slot, positions] : slots) {
    const auto [low, high] = positions;
    const std::size_t first = layer.window != 0 && low >= layer.window ? low - layer.window + 1 : 0;
    all += (high - first + 1) * cell.bytes();
  }
  return all;
}

std::uint64_t kv_bytes_read(const Gemma4Config& config, KvType type, const Batch& batch) {
  std::uint64_t all = 0;
  for (const auto& layer : config.layers)
    all += kv_bytes_read({.type = type,
                          .kv_heads = layer.kv_heads,
                          .head_dim = layer.head_dim,
                          .window = layer.sliding ? config.window : 0},
                         batch);
  return all;
}

std::size_t distinct_experts(std::vector<std::int32_t> chosen) {
  std::sort(chosen.begin(), chosen.end());
  return static_cast<std::size_t>(std::unique(chosen.begin(), chosen.end()) - chosen.begin());
}

StepReads count_reads(Backend& backend, Gemma4& model, const WeightBytes& bytes, const Batch& batch,
                      std::span<const std::size_t> wanted) {
  ExpertCounter counter(backend);
  model.forward(batch, wanted, &counter);
  StepReads reads;
  reads.experts = std::move(counter).counts();
  assert(reads.experts.size() == bytes.expert.size());
  reads.weights = bytes.dense + batch.size() * bytes.embedding + (wanted.empty() ? 0 : bytes.head);
  for (std::size_t i = 0; i < reads.experts.size(); ++i) reads.weights += reads.experts[i] * bytes.expert[i];
  reads.kv = kv_bytes_read(model.config(), model.sizes().kv, batch);
  return reads;
}

}  // namespace gpqa
