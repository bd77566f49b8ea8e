// A model on disk, whichever way it is kept: a GGUF, split or not, or a Hugging Face checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "runners/embedded/model/gemma4_config.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/safetensors_reader.h"
#include "runners/model_files/tokenizer.h"

namespace gpqa {

class ModelSource {
 public:
  // Throws InputError for what is neither, FormatError for what is damaged or no Gemma 4 with experts.
  explicit ModelSource(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const Gemma4Config& config() const { return config_; }
  // By its GGUF name, also in a checkpoint; null if there is none.
  const TensorView* find(const std::string& gguf_name) const;
  std::span<const TensorView> tensors() const;
  std::uint64_t elements() const;  // of all tensors
  std::uint64_t tensor_bytes() const;
  const GgufFile* gguf() const { return gguf_.get(); }  // null: a checkpoint
  // Throw FormatError for a vocabulary that is damaged, or larger than the model has embeddings for.
  Tokenizer tokenizer() const;
  std::optional<std::string> chat_template() const;
  // Stands for the content without reading all of it: a hash over the files' sizes and times, and over every
  // tensor's name, type, shape and first bytes.
  std::string identity() const;
  // Throws FormatError that names the tensor and its first element that is a NaN or an infinity. Reads all of
  // it.
  void check_numbers(const TensorView& tensor, std::size_t threads) const;

 private:
  std::filesystem::path path_;
  std::unique_ptr<GgufFile> gguf_;
  std::unique_ptr<SafetensorsCheckpoint> checkpoint_;
  std::string prefix_;  // of a checkpoint's names
  Gemma4Config config_;
};

}  // namespace gpqa
