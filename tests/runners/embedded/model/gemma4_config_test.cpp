// Numbers that don't fit are refused before anything is sized by them.
#include "runners/embedded/model/gemma4_config.h"

#include <string>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "runners/embedded/model/gemma4_weights.h"
#include "tests/catch.h"
#include "tests/runners/embedded/tiny_model.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::kGemmaData;

namespace {

const nlohmann::json kConfig = nlohmann::json::parse(R"({"architectures": ["Gemma4ForConditionalGeneration"],
  "model_type": "gemma4", "text_config": {"model_type": "gemma4_text", "attention_k_eq_v": true,
  "enable_moe_block": true, "final_logit_softcapping": 30.0, "global_head_dim": 64, "head_dim": 32,
  "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 256, "hidden_size_per_layer_input": 0,
  "intermediate_size": 96, "layer_types": ["sliding_attention", "full_attention"],
  "max_position_embeddings": 262144, "moe_intermediate_size": 32, "num_attention_heads": 4, "num_experts": 16,
  "num_global_key_value_heads": 1, "num_hidden_layers": 2, "num_key_value_heads": 2, "num_kv_shared_layers": 0,
  "rms_norm_eps": 1e-06, "rope_parameters": {"full_attention": {"partial_rotary_factor": 0.25,
  "rope_theta": 1000000.0}, "sliding_attention": {"rope_theta": 10000.0}}, "sliding_window": 32,
  "top_k_experts": 4, "vocab_size": 1408}})");

Gemma4Config parse(const nlohmann::json& json) {
  return parse_gemma4_config(json.dump(), "config.json");
}

}  // namespace

TEST_CASE("a checkpoint's config.json and a GGUF's metadata say the same of a model") {
  const auto config = parse(kConfig);
  const GgufFile file(kGemmaData + "tiny-q8_0.gguf");
  const auto other = read_gemma4_config(file);
  CHECK(other.layers.size() == 6);
  CHECK(other.layers[5].kv_heads == config.layers[1].kv_heads);
  CHECK(other.layers[5].head_dim == config.layers[1].head_dim);
  CHECK(other.layers[0].kv_heads == config.layers[0].kv_heads);
  CHECK(other.layers[0].head_dim == config.layers[0].head_dim);
  for (const auto member : {&Gemma4Config::vocabulary, &Gemma4Config::hidden, &Gemma4Config::heads,
                            &Gemma4Config::dense_ffn, &Gemma4Config::expert_ffn, &Gemma4Config::experts,
                            &Gemma4Config::experts_used, &Gemma4Config::window, &Gemma4Config::context})
    CHECK(other.*member == config.*member);
  for (const auto member : {&Gemma4Config::eps, &Gemma4Config::softcap, &Gemma4Config::rope_base_sliding,
                            &Gemma4Config::rope_base_global})
    CHECK(other.*member == config.*member);
}

TEST_CASE("each number that can't be is named") {
  const auto refused = [](const char* field, const nlohmann::json& value, const std::string& words) {
    auto json = kConfig;
    json["text_config"][field] = value;
    INFO(field << " = " << value.dump());
    CHECK_THROWS_WITH(parse(json), Contains("config.json") && Contains(words));
  };
  for (const char* field :
       {"hidden_size", "num_attention_heads", "num_experts", "top_k_experts", "vocab_size", "head_dim",
        "num_key_value_heads", "sliding_window", "num_hidden_layers"})
    for (const auto& value : {nlohmann::json(0), nlohmann::json(-1), nlohmann::json(1e18),
                              nlohmann::json("4"), nlohmann::json(), nlohmann::json(std::uint64_t{1} << 60)})
      refused(field, value, field == std::string("num_hidden_layers") ? "" : field);
  refused("top_k_experts", 17, "17 of 16 are used");
  refused("num_key_value_heads", 3, "expected a multiple");
  refused("head_dim", 33, "even");
  refused("rms_norm_eps", -1, "rms_norm_eps");
  refused("layer_types", {"sliding_attention"}, "layer_types");
  refused("layer_types", {"sliding_attention", "other"}, "layer_types");
  refused("hidden_size_per_layer_input", 256, "not supported");
  refused("num_kv_shared_layers", 1, "not supported");
  refused("enable_moe_block", false, "without experts");
  refused("hidden_activation", "silu", "gelu_pytorch_tanh");
  refused("model_type", "llama", "gemma4_text");
  CHECK_THROWS_WITH(parse_gemma4_config("{", "config.json"), Contains("not JSON"));
}

TEST_CASE("a tensor that is missing, or of another shape or type, is named") {
  const GgufFile file(kGemmaData + "tiny-q8_0.gguf");
  const auto config = read_gemma4_config(file);
  const auto backend = make_cpu_backend({});
  const auto load = [&](const FindTensor& find) {
    return load_gemma4_weights(*backend, config, find, "m.gguf");
  };
  const auto all = [&](const std::string& name) { return file.find(name); };
  CHECK_NOTHROW(load(all));
  for (const auto& tensor : file.tensors()) {
    INFO(tensor.name);
    CHECK_THROWS_WITH(
        load([&](const std::string& name) { return name == tensor.name ? nullptr : all(name); }),
        Contains("m.gguf") && Contains("missing") &&
            Contains(tensor.name == "blk.5.attn_v.weight" ? "" : tensor.name));
    auto bent = tensor;
    bent.shape[0] *= 2;
    CHECK_THROWS_WITH(load([&](const std::string& name) { return name == tensor.name ? &bent : all(name); }),
                      Contains(tensor.name) && Contains("shape"));
    auto odd = tensor;
    odd.format = *block_format(10);  // Q2_K
    CHECK_THROWS_WITH(load([&](const std::string& name) { return name == tensor.name ? &odd : all(name); }),
                      Contains(tensor.name) && Contains("Q2_K"));
  }
}

TEST_CASE("the names of a Hugging Face checkpoint") {
  CHECK(hugging_face_name("token_embd.weight") == "embed_tokens.weight");
  CHECK(hugging_face_name("blk.12.ffn_gate_up_exps.weight") == "layers.12.experts.gate_up_proj");
  CHECK(hugging_face_name("blk.0.layer_output_scale.weight") == "layers.0.layer_scalar");
  CHECK(hugging_face_name("blk.0.other").empty());
  CHECK(hugging_face_name("other").empty());
}
