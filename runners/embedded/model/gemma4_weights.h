// A Gemma 4 model's weights by their place in the forward pass, from whichever file they come.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/model/gemma4_config.h"
#include "runners/model_files/tensor_view.h"

namespace gpqa {

// Shapes as the maths reads them: [rows, width].
struct Gemma4Weights {
  using One = std::unique_ptr<Weight>;
  struct Layer {
    One attn_norm;               // [hidden]
    One wq;                      // [heads * head_dim, hidden]
    One wk;                      // [kv_heads * head_dim, hidden]
    One wv;                      // likewise; null: the values are the keys, before norm and rotation
    One wo;                      // [hidden, heads * head_dim]
    One q_norm, k_norm;          // [head_dim]
    One post_attn_norm;          // [hidden]
    One ffn_norm;                // [hidden]
    One w_gate, w_up;            // [dense_ffn, hidden]
    One w_down;                  // [hidden, dense_ffn]
    One post_ffn_norm_1;         // [hidden]
    One pre_ffn_norm_2;          // [hidden]
    One router;                  // [experts, hidden]
    One router_scale;            // [hidden]
    One expert_scale;            // [experts]
    One expert_gate, expert_up;  // [experts, expert_ffn, hidden]
    One expert_down;             // [experts, hidden, expert_ffn]
    One post_ffn_norm_2;         // [hidden]
    One post_ffn_norm;           // [hidden]
    float output_scale = 1;
  };
  One embedding;                          // [vocabulary, hidden]
  One output_norm;                        // [hidden]
  One output;                             // [vocabulary, hidden]; null: the embedding
  One inv_freq_sliding, inv_freq_global;  // [head_dim / 2]
  std::vector<Layer> layers;
};

// Finds a tensor by its GGUF name (blk.0.attn_q.weight); null if the file has none.
using FindTensor = std::function<const TensorView*(const std::string&)>;

// Loads all of them, each checked against the config's shapes. Throws FormatError that names the tensor and
// `path`.
Gemma4Weights load_gemma4_weights(Backend& backend, const Gemma4Config& config, const FindTensor& find,
                                  const std::string& path);

// The name in a Hugging Face checkpoint of what a GGUF calls `gguf_name`, without the prefix of the text
// model ("model.language_model." or "model."); "" where there is none.
std::string hugging_face_name(std::string_view gguf_name);

}  // namespace gpqa
