#include "runners/embedded/model/gemma4_config.h"

#include <cstdint>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"

namespace gpqa {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMostLayers = 1024;
constexpr std::uint64_t kMostWidth = 1U << 20;       // of a row, a head, an expert
constexpr std::uint64_t kMostVocabulary = 1U << 24;  // ids
constexpr std::uint64_t kMostPositions = std::uint64_t{1} << 31;

// Checks what one file says, so that no size that follows from it overflows.
class Checked {
 public:
  explicit Checked(std::string path) : path_(std::move(path)) {}

  [[noreturn]] void fail(std::string_view key, const std::string& what) const {
    throw FormatError(path_, std::string(key), what);
  }
  [[noreturn]] void not_built(std::string_view key, std::string_view what) const {
    fail(key, fmt::format("{}: not supported; expected Gemma 4's mixture of experts", what));
  }
  std::size_t count(std::string_view key, std::uint64_t value, std::uint64_t most = kMostWidth) const {
    if (value < 1 || value > most) fail(key, fmt::format("expected 1 to {}, found {}", most, value));
    return static_cast<std::size_t>(value);
  }
  float positive(std::string_view key, double value) const {
    if (!(value > 0) || value > 1e12) fail(key, fmt::format("expected a number above 0, found {}", value));
    return static_cast<float>(value);
  }
  // What must hold between the fields.
  void together(const Gemma4Config& c) const {
    if (c.experts_used > c.experts)
      fail("experts",
           fmt::format("{} of {} are used; expected no more than there are", c.experts_used, c.experts));
    for (std::size_t i = 0; i < c.layers.size(); ++i) {
      const auto& layer = c.layers[i];
      if (c.heads % layer.kv_heads != 0)
        fail(fmt::format("layer {}", i),
             fmt::format("{} query heads for {} key heads; expected a multiple", c.heads, layer.kv_heads));
      if (layer.head_dim % 2 != 0)
        fail(fmt::format("layer {}", i), fmt::format("heads of {}; expected an even size", layer.head_dim));
    }
  }

 private:
  std::string path_;
};

std::string key(std::string_view name) {
  return fmt::format("gemma4.{}", name);
}

// A GGUF's numbers, checked.
struct GgufNumbers {
  const GgufFile& file;
  const Checked& check;

  std::size_t count(std::string_view name, std::uint64_t most = kMostWidth) const {
    return check.count(key(name), file.count(key(name)), most);
  }
  float positive(std::string_view name) const { return check.positive(key(name), file.number(key(name))); }
  bool is_set(std::string_view name) const { return file.has(key(name)) && file.count(key(name)) != 0; }
};

// The numbers of a JSON object, checked.
struct JsonNumbers {
  const Json& object;
  const Checked& check;

  const Json& field(const char* name) const {
    const auto it = object.find(name);
    if (it == object.end() || it->is_null()) check.fail(name, "missing");
    return *it;
  }
  JsonNumbers inside(const char* name) const {
    if (!field(name).is_object()) check.fail(name, "expected an object");
    return {field(name), check};
  }
  std::size_t count(const char* name, std::uint64_t most = kMostWidth) const {
    const Json& value = field(name);
    if (!value.is_number_unsigned()) check.fail(name, "expected a whole number");
    return check.count(name, value.get<std::uint64_t>(), most);
  }
  float positive(const char* name) const {
    const Json& value = field(name);
    if (!value.is_number()) check.fail(name, "expected a number");
    return check.positive(name, value.get<double>());
  }
  bool has(const char* name) const {
    const auto it = object.find(name);
    return it != object.end() && !it->is_null();
  }
  bool is_set(const char* name) const { return has(name) && object[name] != 0 && object[name] != false; }
};

Json parse_shallow(std::string_view json) {
  constexpr int kMaxDepth = 32;
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kMaxDepth; };
  return Json::parse(json, shallow, false);
}

}  // namespace

Gemma4Config read_gemma4_config(const GgufFile& file) {
  const Checked check(file.path().string());
  if (const auto architecture = file.text("general.architecture"); architecture != "gemma4")
    check.fail("general.architecture", fmt::format("expected gemma4, found {}", architecture));
  const GgufNumbers numbers{file, check};
  if (numbers.is_set("embedding_length_per_layer_input"))
    check.not_built(key("embedding_length_per_layer_input"), "per-layer embeddings");
  if (numbers.is_set("attention.shared_kv_layers"))
    check.not_built(key("attention.shared_kv_layers"), "layers that share keys and values");
  if (!numbers.is_set("expert_count")) check.not_built(key("expert_count"), "a model without experts");

  Gemma4Config c;
  c.vocabulary =
      check.count("tokenizer.ggml.tokens", file.strings("tokenizer.ggml.tokens").size(), kMostVocabulary);
  c.hidden = numbers.count("embedding_length");
  c.heads = numbers.count("attention.head_count");
  c.dense_ffn = numbers.count("feed_forward_length");
  c.expert_ffn = numbers.count("expert_feed_forward_length");
  c.experts = numbers.count("expert_count");
  c.experts_used = numbers.count("expert_used_count");
  c.window = numbers.count("attention.sliding_window", kMostPositions);
  c.context = numbers.count("context_length", kMostPositions);
  c.eps = numbers.positive("attention.layer_norm_rms_epsilon");
  c.rope_base_global = numbers.positive("rope.freq_base");
  c.rope_base_sliding = numbers.positive("rope.freq_base_swa");
  if (file.has(key("final_logit_softcapping"))) c.softcap = numbers.positive("final_logit_softcapping");

  const std::size_t layers = numbers.count("block_count", kMostLayers);
  // A number for each layer, or one for all.
  const auto each_layer = [&](std::string_view name) {
    auto values = file.integers(key(name));
    if (values.size() == 1) values.resize(layers, values[0]);
    if (values.size() != layers)
      check.fail(key(name), fmt::format("{} values for {} layers", values.size(), layers));
    return values;
  };
  const auto kv_heads = each_layer("attention.head_count_kv");
  const auto sliding = each_layer("attention.sliding_window_pattern");
  const std::size_t global_dim = numbers.count("attention.key_length");
  const std::size_t sliding_dim = numbers.count("attention.key_length_swa");
  for (const auto& [name, dim] :
       {std::pair("rope.dimension_count", global_dim), std::pair("rope.dimension_count_swa", sliding_dim)})
    if (file.has(key(name)) && numbers.count(name) != dim)
      check.fail(key(name),
                 fmt::format("expected the heads' {} dimensions, found {}", dim, numbers.count(name)));
  for (std::size_t i = 0; i < layers; ++i)
    c.layers.push_back(
        {.sliding = sliding[i] != 0,
         .kv_heads = check.count(key("attention.head_count_kv"),
                                 static_cast<std::uint64_t>(std::max<std::int64_t>(kv_heads[i], 0))),
         .head_dim = sliding[i] != 0 ? sliding_dim : global_dim});
  check.together(c);
  return c;
}

Gemma4Config parse_gemma4_config(std::string_view json, const std::filesystem::path& path) {
  const Checked check(path.string());
  const Json all = parse_shallow(json);
  if (!all.is_object()) check.fail("", "not JSON; expected the config.json of a Gemma 4 checkpoint");
  // Text-only checkpoints have the text model's fields at the top.
  const Json& text = all.contains("text_config") && all["text_config"].is_object() ? all["text_config"] : all;
  const JsonNumbers numbers{text, check};
  if (const Json& type = numbers.field("model_type"); type != "gemma4_text")
    check.fail("model_type", fmt::format("expected gemma4_text, found {}", type.dump()));
  if (numbers.is_set("hidden_size_per_layer_input"))
    check.not_built("hidden_size_per_layer_input", "per-layer embeddings");
  if (numbers.is_set("num_kv_shared_layers"))
    check.not_built("num_kv_shared_layers", "layers that share keys and values");
  if (!numbers.is_set("enable_moe_block")) check.not_built("enable_moe_block", "a model without experts");
  if (numbers.field("hidden_activation") != "gelu_pytorch_tanh")
    check.fail("hidden_activation", "expected gelu_pytorch_tanh");

  Gemma4Config c;
  c.vocabulary = numbers.count("vocab_size", kMostVocabulary);
  c.hidden = numbers.count("hidden_size");
  c.heads = numbers.count("num_attention_heads");
  c.dense_ffn = numbers.count("intermediate_size");
  c.expert_ffn = numbers.count("moe_intermediate_size");
  c.experts = numbers.count("num_experts");
  c.experts_used = numbers.count("top_k_experts");
  c.window = numbers.count("sliding_window", kMostPositions);
  c.context = numbers.count("max_position_embeddings", kMostPositions);
  c.eps = numbers.positive("rms_norm_eps");
  if (numbers.has("final_logit_softcapping")) c.softcap = numbers.positive("final_logit_softcapping");
  const auto rope = numbers.inside("rope_parameters");
  c.rope_base_sliding = rope.inside("sliding_attention").positive("rope_theta");
  c.rope_base_global = rope.inside("full_attention").positive("rope_theta");
  c.rotated_part = rope.inside("full_attention").field("partial_rotary_factor").is_number()
                       ? rope.inside("full_attention").field("partial_rotary_factor").get<double>()
                       : 0;
  if (!(c.rotated_part > 0 && c.rotated_part <= 1))
    check.fail("partial_rotary_factor", "expected a number above 0, up to 1");

  const Json& types = numbers.field("layer_types");
  if (!types.is_array() || types.size() != numbers.count("num_hidden_layers", kMostLayers))
    check.fail("layer_types", "expected the type of each of num_hidden_layers layers");
  const bool keys_are_values = numbers.is_set("attention_k_eq_v");
  for (const Json& type : types) {
    const bool slides = type == "sliding_attention";
    if (!slides && type != "full_attention")
      check.fail("layer_types",
                 fmt::format("expected sliding_attention or full_attention, found {}", type.dump()));
    c.layers.push_back({.sliding = slides,
                        .kv_heads = numbers.count(slides || !keys_are_values ? "num_key_value_heads"
                                                                             : "num_global_key_value_heads"),
                        .head_dim = numbers.count(slides ? "head_dim" : "global_head_dim")});
  }
  check.together(c);
  return c;
}

}  // namespace gpqa
