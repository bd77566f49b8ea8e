#include "runners/embedded/model/gemma4_weights.h"

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "prompts/input_error.h"
#include "runners/model_files/dequantize.h"

namespace gpqa {
namespace {

using Shape = std::vector<std::uint64_t>;  // as in TensorView: the row length first

// Rounding before the attention's matrices costs most: on the reference model two thirds of the KL divergence
// that 8-bit inputs bring in all.
constexpr auto kExact = Inputs::exact;

class Loader {
 public:
  Loader(Backend& backend, const FindTensor& find, const std::string& path)
      : backend_(backend), find_(find), path_(path) {}

  // Null if the file has none.
  const TensorView* optional_view(const std::string& name, const Shape& shape) const {
    const TensorView* view = find_(name);
    if (view == nullptr) return nullptr;
    if (view->shape != shape)
      fail(view->name, fmt::format("a shape of [{}]; the model's numbers ask for [{}]",
                                   fmt::join(view->shape, ", "), fmt::join(shape, ", ")));
    return view;
  }
  const TensorView& view(const std::string& name, const Shape& shape) const {
    const TensorView* found = optional_view(name, shape);
    if (found == nullptr) fail(name, "the tensor is missing");
    return *found;
  }
  std::unique_ptr<Weight> optional_weight(const std::string& name, const Shape& shape,
                                          Inputs inputs = Inputs::may_be_rounded) const {
    const TensorView* found = optional_view(name, shape);
    return found == nullptr ? nullptr : load(*found, inputs);
  }
  std::unique_ptr<Weight> weight(const std::string& name, const Shape& shape,
                                 Inputs inputs = Inputs::may_be_rounded) const {
    return load(view(name, shape), inputs);
  }
  // Some rows of a matrix, or of each of a stack.
  std::unique_ptr<Weight> rows(const TensorView& of, RowRange part,
                               Inputs inputs = Inputs::may_be_rounded) const {
    return load(of, inputs, part);
  }
  const TensorView* find(const std::string& name) const { return find_(name); }
  std::vector<float> numbers(const TensorView& of) const {
    if (!can_dequantize(of.format)) fail(of.name, fmt::format("type {}; expected floats", of.format.name));
    std::vector<float> values(of.elements());
    dequantize(of.format, of.bytes, values);
    return values;
  }
  std::unique_ptr<Weight> vector(const std::string& name, std::span<const float> values) const {
    return backend_.load({.name = name,
                          .format = *block_format(0),  // F32
                          .shape = {values.size()},
                          .bytes = std::as_bytes(values)});
  }
  [[noreturn]] void fail(const std::string& tensor, const std::string& what) const {
    throw FormatError(path_, tensor, what);
  }

 private:
  std::unique_ptr<Weight> load(const TensorView& of, Inputs inputs, RowRange part = {}) const {
    try {
      return backend_.load(of, inputs, part);
    } catch (const InputError& error) {
      throw FormatError(path_, of.name, error.what());
    }
  }

  Backend& backend_;
  const FindTensor& find_;
  const std::string& path_;
};

void load_attention(const Loader& from, const Gemma4Config& c, std::size_t index,
                    Gemma4Weights::Layer& layer) {
  const auto& shape = c.layers[index];
  const std::uint64_t q_rows = c.heads * shape.head_dim;
  const std::uint64_t kv_rows = shape.kv_heads * shape.head_dim;
  const auto name = [&](const char* part) { return fmt::format("blk.{}.{}", index, part); };
  layer.attn_norm = from.weight(name("attn_norm.weight"), {c.hidden});
  if (const TensorView* fused = from.find(name("attn_qkv.weight"))) {
    // Without v where the keys are the values.
    const bool with_v = fused->rows() == q_rows + 2 * kv_rows;
    const auto& qkv = from.view(name("attn_qkv.weight"), {c.hidden, q_rows + (with_v ? 2 : 1) * kv_rows});
    layer.wq = from.rows(qkv, {0, q_rows}, kExact);
    layer.wk = from.rows(qkv, {q_rows, kv_rows}, kExact);
    if (with_v) layer.wv = from.rows(qkv, {q_rows + kv_rows, kv_rows}, kExact);
  } else {
    layer.wq = from.weight(name("attn_q.weight"), {c.hidden, q_rows}, kExact);
    layer.wk = from.weight(name("attn_k.weight"), {c.hidden, kv_rows}, kExact);
    layer.wv = from.optional_weight(name("attn_v.weight"), {c.hidden, kv_rows}, kExact);
  }
  if (layer.wv == nullptr && shape.sliding) from.fail(name("attn_v.weight"), "the tensor is missing");
  layer.wo = from.weight(name("attn_output.weight"), {q_rows, c.hidden}, kExact);
  layer.q_norm = from.weight(name("attn_q_norm.weight"), {shape.head_dim});
  layer.k_norm = from.weight(name("attn_k_norm.weight"), {shape.head_dim});
  layer.post_attn_norm = from.weight(name("post_attention_norm.weight"), {c.hidden});
}

void load_feed_forward(const Loader& from, const Gemma4Config& c, std::size_t index,
                       Gemma4Weights::Layer& layer) {
  const auto name = [&](const char* part) { return fmt::format("blk.{}.{}", index, part); };
  layer.ffn_norm = from.weight(name("ffn_norm.weight"), {c.hidden});
  layer.w_gate = from.weight(name("ffn_gate.weight"), {c.hidden, c.dense_ffn});
  layer.w_up = from.weight(name("ffn_up.weight"), {c.hidden, c.dense_ffn});
  layer.w_down = from.weight(name("ffn_down.weight"), {c.dense_ffn, c.hidden});
  layer.post_ffn_norm_1 = from.weight(name("post_ffw_norm_1.weight"), {c.hidden});
  layer.pre_ffn_norm_2 = from.weight(name("pre_ffw_norm_2.weight"), {c.hidden});
  layer.router = from.weight(name("ffn_gate_inp.weight"), {c.hidden, c.experts});
  layer.router_scale = from.weight(name("ffn_gate_inp.scale"), {c.hidden});
  layer.expert_scale = from.weight(name("ffn_down_exps.scale"), {c.experts});
  if (const TensorView* both =
          from.optional_view(name("ffn_gate_up_exps.weight"), {c.hidden, 2 * c.expert_ffn, c.experts})) {
    layer.expert_gate = from.rows(*both, {0, c.expert_ffn});
    layer.expert_up = from.rows(*both, {c.expert_ffn, c.expert_ffn});
  } else {
    const Shape half = {c.hidden, c.expert_ffn, c.experts};
    layer.expert_gate = from.optional_weight(name("ffn_gate_exps.weight"), half);
    if (layer.expert_gate == nullptr)
      from.fail(name("ffn_gate_up_exps.weight"), "the tensor is missing (and ffn_gate_exps too)");
    layer.expert_up = from.weight(name("ffn_up_exps.weight"), half);
  }
  layer.expert_down = from.weight(name("ffn_down_exps.weight"), {c.expert_ffn, c.hidden, c.experts});
  layer.post_ffn_norm_2 = from.weight(name("post_ffw_norm_2.weight"), {c.hidden});
  layer.post_ffn_norm = from.weight(name("post_ffw_norm.weight"), {c.hidden});
  layer.output_scale = from.numbers(from.view(name("layer_output_scale.weight"), {1})).front();
}

// base^(-2i / dim), as float32 computes it.
std::vector<float> inverse_frequencies(float base, std::size_t dim) {
  std::vector<float> all(dim / 2);
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = 1.0F / std::pow(base, static_cast<float>(2 * i) / static_cast<float>(dim));
  return all;
}

void load_rope(const Loader& from, const Gemma4Config& c, Gemma4Weights& weights) {
  for (const auto& layer : c.layers) {
    auto& where = layer.sliding ? weights.inv_freq_sliding : weights.inv_freq_global;
    if (where != nullptr) {
      if (where->width() != layer.head_dim / 2) from.fail("layers", "heads of one kind differ in size");
      continue;
    }
    auto turns =
        inverse_frequencies(layer.sliding ? c.rope_base_sliding : c.rope_base_global, layer.head_dim);
    if (!layer.sliding && c.rotated_part > 0) {
      const auto rotated = static_cast<std::size_t>(c.rotated_part * static_cast<double>(turns.size()));
      std::fill(turns.begin() + static_cast<std::ptrdiff_t>(rotated), turns.end(), 0.0F);
    } else if (!layer.sliding) {
      // Divisors: 1e30 stands for a dimension that isn't turned.
      const auto divisors = from.numbers(from.view("rope_freqs.weight", {turns.size()}));
      for (std::size_t i = 0; i < turns.size(); ++i) turns[i] /= divisors[i];
    }
    where = from.vector("inv_freq", turns);
  }
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 22> kLayerNames = {{
    {"attn_norm.weight", "input_layernorm.weight"},
    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    {"attn_q_norm.weight", "self_attn.q_norm.weight"},
    {"attn_k_norm.weight", "self_attn.k_norm.weight"},
    {"post_attention_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_norm.weight", "pre_feedforward_layernorm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"},
    {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
    {"post_ffw_norm_1.weight", "post_feedforward_layernorm_1.weight"},
    {"pre_ffw_norm_2.weight", "pre_feedforward_layernorm_2.weight"},
    {"ffn_gate_inp.weight", "router.proj.weight"},
    {"ffn_gate_inp.scale", "router.scale"},
    {"ffn_down_exps.scale", "router.per_expert_scale"},
    {"ffn_gate_up_exps.weight", "experts.gate_up_proj"},
    {"ffn_down_exps.weight", "experts.down_proj"},
    {"post_ffw_norm_2.weight", "post_feedforward_layernorm_2.weight"},
    {"post_ffw_norm.weight", "post_feedforward_layernorm.weight"},
    {"layer_output_scale.weight", "layer_scalar"},
}};

}  // namespace

Gemma4Weights load_gemma4_weights(Backend& backend, const Gemma4Config& config, const FindTensor& find,
                                  const std::string& path) {
  const Loader from(backend, find, path);
  Gemma4Weights weights;
  weights.embedding = from.weight("token_embd.weight", {config.hidden, config.vocabulary});
  weights.output_norm = from.weight("output_norm.weight", {config.hidden});
  weights.output = from.optional_weight("output.weight", {config.hidden, config.vocabulary});
  load_rope(from, config, weights);
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    auto& layer = weights.layers.emplace_back();
    load_attention(from, config, i, layer);
    load_feed_forward(from, config, i, layer);
  }
  return weights;
}

std::string hugging_face_name(std::string_view gguf_name) {
  if (gguf_name == "token_embd.weight") return "embed_tokens.weight";
  if (gguf_name == "output_norm.weight") return "norm.weight";
  constexpr std::string_view kBlock = "blk.";
  if (!gguf_name.starts_with(kBlock)) return "";
  gguf_name.remove_prefix(kBlock.size());
  const auto dot = gguf_name.find('.');
  if (dot == std::string_view::npos) return "";
  for (const auto& [gguf, hugging_face] : kLayerNames)
    if (gguf_name.substr(dot + 1) == gguf)
      return fmt::format("layers.{}.{}", gguf_name.substr(0, dot), hugging_face);
  return "";
}

}  // namespace gpqa
