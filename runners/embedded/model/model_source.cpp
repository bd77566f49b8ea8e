#include "runners/embedded/model/model_source.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "runners/embedded/model/gemma4_weights.h"
#include "runners/model_files/chat_template.h"
#include "runners/model_files/finite.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostConfigBytes = 1U << 20;

Gemma4Config read_config(const fs::path& path) {
  const MappedFile file(path);
  if (file.bytes().size() > kMostConfigBytes)
    throw FormatError(path.string(), "",
                      fmt::format("{} bytes; expected a small JSON file", file.bytes().size()));
  return parse_gemma4_config(file.text(), path);
}

}  // namespace

ModelSource::ModelSource(const fs::path& path) : path_(path) {
  std::error_code error;
  if (!fs::exists(path, error)) throw InputError(fmt::format("model: no such file: '{}'", path.string()));
  if (!fs::is_directory(path, error)) {
    gguf_ = std::make_unique<GgufFile>(path);
    config_ = read_gemma4_config(*gguf_);
    return;
  }
  if (!fs::exists(path / "config.json", error))
    throw InputError(
        fmt::format("model: '{}' holds no config.json; expected a GGUF file, or the folder of a "
                    "Hugging Face checkpoint",
                    path.string()));
  config_ = read_config(path / "config.json");
  checkpoint_ = std::make_unique<SafetensorsCheckpoint>(path);
  // With an image tower, or the text model alone.
  for (const char* prefix : {"model.language_model.", "model."})
    if (prefix_.empty() && checkpoint_->find(std::string(prefix) + "embed_tokens.weight") != nullptr)
      prefix_ = prefix;
  if (prefix_.empty())
    throw FormatError(checkpoint_->path().string(), "model.language_model.embed_tokens.weight",
                      "the tensor is missing");
}

const TensorView* ModelSource::find(const std::string& gguf_name) const {
  if (gguf_ != nullptr) return gguf_->find(gguf_name);
  const auto name = hugging_face_name(gguf_name);
  return name.empty() ? nullptr : checkpoint_->find(prefix_ + name);
}

std::span<const TensorView> ModelSource::tensors() const {
  return gguf_ != nullptr ? gguf_->tensors() : checkpoint_->tensors();
}

std::uint64_t ModelSource::elements() const {
  std::uint64_t sum = 0;
  for (const auto& tensor : tensors()) sum += tensor.elements();
  return sum;
}

std::uint64_t ModelSource::tensor_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& tensor : tensors()) sum += tensor.bytes.size();
  return sum;
}

Tokenizer ModelSource::tokenizer() const {
  auto vocabulary = gguf_ != nullptr ? read_vocabulary(*gguf_) : read_hf_vocabulary(path_);
  if (vocabulary.size() > config_.vocabulary)
    throw FormatError(
        path_.string(), "tokenizer",
        fmt::format("{} tokens; the model has embeddings for {}", vocabulary.size(), config_.vocabulary));
  return Tokenizer(std::move(vocabulary));
}

std::optional<std::string> ModelSource::chat_template() const {
  return gguf_ != nullptr ? chat_template_of(*gguf_) : hf_chat_template_of(path_);
}

std::string ModelSource::identity() const {
  constexpr std::size_t kFirst = 4096;
  Sha256 hash;
  for (const auto& file : gguf_ != nullptr ? gguf_->header().files : checkpoint_->files())
    hash.add(
        fmt::format("{} {}\n", fs::file_size(file), fs::last_write_time(file).time_since_epoch().count()));
  for (const auto& tensor : tensors()) {
    hash.add(fmt::format("{} {} {} {}\n", tensor.name, tensor.format.name, fmt::join(tensor.shape, ","),
                         tensor.bytes.size()));
    const auto first = tensor.bytes.first(std::min(tensor.bytes.size(), kFirst));
    hash.add({reinterpret_cast<const char*>(first.data()), first.size()});
  }
  return hash.hex();
}

void ModelSource::check_numbers(const TensorView& tensor, std::size_t threads) const {
  const std::uint64_t rows = tensor.rows();
  std::vector<std::optional<std::uint64_t>> found(threads);
  const auto read = [&](std::size_t part) {
    const std::uint64_t first = rows * part / threads;
    TensorView some = tensor;
    some.shape = {tensor.row_elements(), rows * (part + 1) / threads - first};
    some.bytes = tensor.bytes.subspan(first * tensor.row_bytes(), some.rows() * tensor.row_bytes());
    found[part] = find_not_finite(some);
    if (found[part]) *found[part] += first * tensor.row_elements();
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t part = 1; part < threads; ++part) others.emplace_back(read, part);
    read(0);
  }
  for (const auto& element : found)
    if (element)
      throw FormatError(
          path_.string(), tensor.name,
          fmt::format("element {} is no finite number (or its block's scale isn't): the file is damaged",
                      *element));
}

}  // namespace gpqa
