// The forward pass of Gemma 4's mixture of experts, in the order of its equations.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/model/gemma4_config.h"
#include "runners/embedded/model/gemma4_weights.h"

namespace gpqa {

// What a layer computed, for those who ask: tests and analysis. Views into the pass's own buffers, good until
// the call returns; Backend::read_back brings them to the host.
struct LayerView {
  std::size_t layer = 0;
  Tensor after_attention;  // [tokens, hidden] the residual stream, which router and experts read
  Tensor router_logits;    // [tokens, experts]
  const Routing* routing = nullptr;
  Tensor expert_outputs;  // [tokens * used, hidden] before they are weighted and summed
  Tensor out;             // [tokens, hidden]
};

struct LayerObserver {
  virtual ~LayerObserver() = default;
  virtual void on_layer(const LayerView& layer) = 0;
};

class Gemma4 {
 public:
  // `max_tokens`: of one step. `cells`: positions that a slot can hold.
  struct Sizes {
    std::size_t slots = 1;
    std::size_t cells = 0;
    std::size_t max_tokens = 512;
    std::size_t max_logits = 1;  // rows of logits that one step can be asked for
    KvType kv = KvType::f32;
  };
  Gemma4(Backend& backend, const Gemma4Config& config, Gemma4Weights weights, const Sizes& sizes);

  const Gemma4Config& config() const { return config_; }
  const Sizes& sizes() const { return sizes_; }

  // Puts the batch's tokens into their slots and returns the logits [wanted, vocabulary] that follow the
  // tokens at the indices `wanted`; good until the next step. A token may be given only after those of its
  // slot at all lower positions. Ids and positions must be within vocabulary and cells (asserted).
  Tensor forward(const Batch& batch, std::span<const std::size_t> wanted, LayerObserver* observer = nullptr);

  // Bytes that a model of these sizes needs beside its weights.
  static std::size_t kv_bytes(const Gemma4Config& config, const Sizes& sizes);
  static std::size_t buffer_bytes(const Gemma4Config& config, const Sizes& sizes);

 private:
  static std::vector<KvShape> kv_shapes(const Gemma4Config& config, const Sizes& sizes);
  void attend(std::size_t index, const Batch& batch);
  void feed_forward(std::size_t index, std::size_t tokens);

  Backend& backend_;
  Gemma4Config config_;
  Gemma4Weights weights_;
  Sizes sizes_;
  std::vector<std::unique_ptr<KvCache>> kv_;
  struct Room {  // the largest tensors that a step needs
    std::unique_ptr<Buffer> hidden, normed, dense, sparse, q, k, v, heads, gated, router_in, router_logits,
        expert_hidden, expert_outs, last, logits;
  } room_;
  std::unique_ptr<Routing> routing_;
};

}  // namespace gpqa
