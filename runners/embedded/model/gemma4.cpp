#include "runners/embedded/model/gemma4.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace gpqa {
namespace {

std::size_t widest(const Gemma4Config& c,
                   std::size_t (*of)(const Gemma4Config&, const Gemma4Config::Layer&)) {
  std::size_t most = 0;
  for (const auto& layer : c.layers) most = std::max(most, of(c, layer));
  return most;
}
std::size_t q_width(const Gemma4Config& c, const Gemma4Config::Layer& layer) {
  return c.heads * layer.head_dim;
}
std::size_t kv_width(const Gemma4Config&, const Gemma4Config::Layer& layer) {
  return layer.kv_heads * layer.head_dim;
}

float root(std::size_t n) {
  return std::sqrt(static_cast<float>(n));
}

}  // namespace

std::vector<KvShape> Gemma4::kv_shapes(const Gemma4Config& config, const Sizes& sizes) {
  std::vector<KvShape> all;
  for (const auto& layer : config.layers) {
    KvShape shape{.type = sizes.kv,
                  .slots = sizes.slots,
                  .cells = sizes.cells,
                  .kv_heads = layer.kv_heads,
                  .head_dim = layer.head_dim,
                  .window = layer.sliding ? config.window : 0};
    // A step stores its keys before its first token has read the oldest ones it sees.
    if (layer.sliding) shape.cells = std::min(shape.cells, config.window + sizes.max_tokens - 1);
    all.push_back(shape);
  }
  return all;
}

std::size_t Gemma4::kv_bytes(const Gemma4Config& config, const Sizes& sizes) {
  std::size_t sum = 0;
  for (const auto& shape : kv_shapes(config, sizes)) sum += shape.bytes();
  return sum;
}

std::size_t Gemma4::buffer_bytes(const Gemma4Config& c, const Sizes& sizes) {
  const std::size_t token = 6 * c.hidden + 2 * widest(c, q_width) + 2 * widest(c, kv_width) + c.dense_ffn +
                            c.experts + c.experts_used * (c.expert_ffn + c.hidden);
  return (sizes.max_tokens * token + sizes.max_logits * (c.hidden + c.vocabulary)) * sizeof(float);
}

Gemma4::Gemma4(Backend& backend, const Gemma4Config& config, Gemma4Weights weights, const Sizes& sizes)
    : backend_(backend), config_(config), weights_(std::move(weights)), sizes_(sizes) {
  for (const auto& shape : kv_shapes(config, sizes)) kv_.push_back(backend.make_kv(shape));
  const auto& c = config_;
  const auto room = [&](std::size_t width) { return backend.make_buffer(sizes.max_tokens, width); };
  for (auto* buffer : {&room_.hidden, &room_.normed, &room_.dense, &room_.sparse, &room_.router_in})
    *buffer = room(c.hidden);
  room_.q = room(widest(c, q_width));
  room_.heads = room(widest(c, q_width));
  room_.k = room(widest(c, kv_width));
  room_.v = room(widest(c, kv_width));
  room_.gated = room(c.dense_ffn);
  room_.router_logits = room(c.experts);
  room_.expert_hidden = backend.make_buffer(sizes.max_tokens * c.experts_used, c.expert_ffn);
  room_.expert_outs = backend.make_buffer(sizes.max_tokens * c.experts_used, c.hidden);
  room_.last = backend.make_buffer(sizes.max_logits, c.hidden);
  room_.logits = backend.make_buffer(sizes.max_logits, c.vocabulary);
  routing_ = backend.make_routing(sizes.max_tokens, c.experts_used);
}

// h += norm(attention(norm(h)))
void Gemma4::attend(std::size_t index, const Batch& batch) {
  const auto& w = weights_.layers[index];
  const auto& shape = config_.layers[index];
  const auto& inv_freq = shape.sliding ? *weights_.inv_freq_sliding : *weights_.inv_freq_global;
  const std::size_t n = batch.size();
  const float eps = config_.eps;
  const Tensor h = room_.hidden->tensor().first_rows(n);
  const Tensor a = room_.normed->tensor().first_rows(n);
  // Buffers are as wide as the widest layer: this layer's rows lie one after the other in them.
  const auto rows = [n](const std::unique_ptr<Buffer>& buffer, std::size_t width) {
    return Tensor{buffer->tensor().data, n, width, width};
  };
  const Tensor q = rows(room_.q, q_width(config_, shape));
  const Tensor k = rows(room_.k, kv_width(config_, shape));
  const Tensor v = rows(room_.v, kv_width(config_, shape));
  const Tensor out = rows(room_.heads, q.width);

  backend_.rms_norm(a, h, w.attn_norm.get(), eps);
  backend_.linear(q, a, *w.wq);
  backend_.linear(k, a, *w.wk);
  const Tensor values = w.wv != nullptr ? v : k;  // the raw keys, before their norm and rotation
  if (w.wv != nullptr) backend_.linear(v, a, *w.wv);
  backend_.rms_norm(v.split_rows(shape.kv_heads), values.split_rows(shape.kv_heads), nullptr, eps);
  backend_.rms_norm(q.split_rows(config_.heads), q.split_rows(config_.heads), w.q_norm.get(), eps);
  backend_.rms_norm(k.split_rows(shape.kv_heads), k.split_rows(shape.kv_heads), w.k_norm.get(), eps);
  backend_.rope(q, inv_freq, shape.head_dim, batch);
  backend_.rope(k, inv_freq, shape.head_dim, batch);
  backend_.store_kv(*kv_[index], k, v, batch);
  backend_.attention(out, q, *kv_[index], config_.heads, batch);
  backend_.linear(a, out, *w.wo);
  backend_.rms_norm(a, a, w.post_attn_norm.get(), eps);
  backend_.add(h, h, a);
}

// h = (h + norm(norm(dense(norm(h))) + norm(experts(norm(h))))) * scale; the router reads h by a norm of its
// own
void Gemma4::feed_forward(std::size_t index, std::size_t n) {
  const auto& w = weights_.layers[index];
  const auto& c = config_;
  const Tensor h = room_.hidden->tensor().first_rows(n);
  const Tensor x = room_.normed->tensor().first_rows(n);
  const Tensor dense = room_.dense->tensor().first_rows(n);
  const Tensor sparse = room_.sparse->tensor().first_rows(n);
  const Tensor u = room_.router_in->tensor().first_rows(n);
  const Tensor gated = room_.gated->tensor().first_rows(n);
  const Tensor router_logits = room_.router_logits->tensor().first_rows(n);
  const Tensor hidden = room_.expert_hidden->tensor().first_rows(n * c.experts_used);  // [n * used, ffn]
  const Tensor outs = room_.expert_outs->tensor().first_rows(n * c.experts_used);      // [n * used, hidden]

  backend_.rms_norm(x, h, w.ffn_norm.get(), c.eps);
  backend_.gated_linear(gated, x, *w.w_gate, *w.w_up);
  backend_.linear(dense, gated, *w.w_down);
  backend_.rms_norm(dense, dense, w.post_ffn_norm_1.get(), c.eps);

  backend_.rms_norm(u, h, nullptr, c.eps);
  backend_.multiply(u, u, *w.router_scale, 1.0F / root(c.hidden));
  backend_.linear(router_logits, u, *w.router);
  backend_.route(*routing_, router_logits, *w.expert_scale);

  backend_.rms_norm(x, h, w.pre_ffn_norm_2.get(), c.eps);
  backend_.expert_gated_linear(hidden, x, *w.expert_gate, *w.expert_up, *routing_);
  backend_.expert_linear(outs, hidden, *w.expert_down, *routing_);
  backend_.combine(sparse, outs, *routing_);
  backend_.rms_norm(sparse, sparse, w.post_ffn_norm_2.get(), c.eps);

  backend_.add(dense, dense, sparse);
  backend_.rms_norm(dense, dense, w.post_ffn_norm.get(), c.eps);
  // h keeps what the router read until here; an observer is shown both.
  backend_.add(sparse, h, dense);
  backend_.scale(sparse, w.output_scale);
}

Tensor Gemma4::forward(const Batch& batch, std::span<const std::size_t> wanted, LayerObserver* observer) {
  const std::size_t n = batch.size();
  assert(n > 0 && n <= sizes_.max_tokens && wanted.size() <= sizes_.max_logits);
  assert(std::all_of(batch.ids.begin(), batch.ids.end(), [&](std::int32_t id) {
    return id >= 0 && static_cast<std::size_t>(id) < config_.vocabulary;
  }));
  assert(std::all_of(batch.positions.begin(), batch.positions.end(), [&](std::int32_t position) {
    return position >= 0 && static_cast<std::size_t>(position) < sizes_.cells;
  }));
  const auto hidden = [&] { return room_.hidden->tensor().first_rows(n); };
  backend_.embed(hidden(), *weights_.embedding, batch, root(config_.hidden));
  for (std::size_t i = 0; i < config_.layers.size(); ++i) {
    attend(i, batch);
    feed_forward(i, n);
    if (observer != nullptr)
      observer->on_layer({.layer = i,
                          .after_attention = hidden(),
                          .router_logits = room_.router_logits->tensor().first_rows(n),
                          .routing = routing_.get(),
                          .expert_outputs = room_.expert_outs->tensor().first_rows(n * config_.experts_used),
                          .out = room_.sparse->tensor().first_rows(n)});
    std::swap(room_.hidden, room_.sparse);
  }
  const Tensor last = room_.last->tensor().first_rows(wanted.size());
  const Tensor logits = room_.logits->tensor().first_rows(wanted.size());
  if (wanted.empty()) return logits;
  backend_.gather_rows(last, hidden(), wanted);
  backend_.rms_norm(last, last, weights_.output_norm.get(), config_.eps);
  backend_.linear(logits, last, weights_.output != nullptr ? *weights_.output : *weights_.embedding);
  if (config_.softcap > 0) backend_.softcap(logits, config_.softcap);
  return logits;
}

}  // namespace gpqa
