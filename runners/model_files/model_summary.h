// What a model's files say of it, whichever kind they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runners/model_files/tensor_view.h"

namespace gpqa {

class GgufFile;
class SafetensorsCheckpoint;

struct TypeTotal {
  std::string type;  // "Q6_K"
  std::uint64_t tensors = 0;
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
};

// Texts are the file's own: whoever shows them makes them harmless. What the files don't say is empty.
struct ModelSummary {
  std::string format;  // "GGUF v3", "safetensors"
  std::vector<std::filesystem::path> files;
  std::string architecture;
  std::string name;
  std::string file_type;  // llama.cpp's label; a checkpoint's dtype

  std::optional<std::uint64_t> layers;
  std::optional<std::uint64_t> hidden;
  // One for all layers, or one a layer; of a checkpoint one a kind of layer.
  std::vector<std::int64_t> heads;
  std::vector<std::int64_t> kv_heads;
  std::vector<std::int64_t> feed_forward;
  std::optional<std::uint64_t> context;  // tokens
  std::optional<std::uint64_t> experts;
  std::optional<std::uint64_t> experts_used;
  std::optional<std::uint64_t> expert_feed_forward;

  std::vector<TypeTotal> types;  // those with the most bytes first
  std::uint64_t elements = 0;    // of all tensors
  std::uint64_t bytes = 0;

  std::string tokenizer;  // its model: "gemma4", "BPE"
  std::optional<std::uint64_t> vocabulary;
  std::optional<std::uint64_t> bos;
  std::vector<std::int64_t> eos;  // more than one in a checkpoint
  std::optional<std::uint64_t> end_of_turn;
  std::optional<std::string> chat_template;
  std::vector<std::pair<std::string, std::string>> sampling;  // replaces defaults of whoever runs the model
  std::vector<std::int64_t> suppressed;                       // tokens that are never sampled

  double bits_per_weight() const;
};

// Throws FormatError if a key that is shown is there, but of another kind than it must be.
ModelSummary summarise(const GgufFile& file);
// With config.json, generation_config.json, tokenizer.json, tokenizer_config.json and chat_template.jinja
// beside the files, as far as they are there. Throws FormatError if one of them isn't what it should be.
ModelSummary summarise(const SafetensorsCheckpoint& checkpoint);

}  // namespace gpqa
