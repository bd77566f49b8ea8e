// runners/embedded/model/: Gemma 4's mixture of experts. The numbers that say which one it is.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>
#include <vector>

namespace gpqa {

class GgufFile;

struct Gemma4Config {
  struct Layer {
    bool sliding = false;
    std::size_t kv_heads = 0;
    std::size_t head_dim = 0;
  };
  std::size_t vocabulary = 0;
  std::size_t hidden = 0;
  std::size_t heads = 0;
  std::size_t dense_ffn = 0;   // width of the feed-forward part that every token passes
  std::size_t expert_ffn = 0;  // of one expert
  std::size_t experts = 0;
  std::size_t experts_used = 0;
  std::size_t window = 0;   // of the sliding layers, a token itself included
  std::size_t context = 0;  // positions it was trained for
  float eps = 0;
  float softcap = 0;  // of the logits; 0: none
  float rope_base_sliding = 0;
  float rope_base_global = 0;
  double rotated_part = 0;  // of a global head's dimensions; 0: the file has the divisors as a tensor
  std::vector<Layer> layers;
};

// From a GGUF's metadata (architecture gemma4), or a checkpoint's config.json. Throw FormatError for what is
// missing or out of range, and for the family's members that aren't built here (per-layer embeddings,
// shared keys and values, no experts).
Gemma4Config read_gemma4_config(const GgufFile& file);
Gemma4Config parse_gemma4_config(std::string_view json, const std::filesystem::path& path);

}  // namespace gpqa
