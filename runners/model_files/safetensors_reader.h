// Hugging Face's tensor files: one, or a checkpoint of several that an index holds together.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runners/model_files/mapped_file.h"
#include "runners/model_files/tensor_table.h"

namespace gpqa {

// What a file says about itself ("format": "pt"), in its order.
using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

struct SafetensorsHeader {
  SafetensorsMetadata metadata;
  std::vector<TensorView> tensors;  // by their place in the file; shapes in GGUF's order: row length first
};

// Of one file's bytes; `path` is for messages. Throws FormatError that names the tensor: what lies outside
// the file, overlaps, leaves a gap, is as many bytes as shape and dtype don't make, or is there twice.
SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes, const std::filesystem::path& path);

// model.safetensors.index.json: each tensor and the file it lies in, in the index's order. Files are named
// without folders. Throws FormatError.
std::vector<std::pair<std::string, std::string>> parse_safetensors_index(std::string_view json,
                                                                         const std::filesystem::path& path);

// All tensors of a model, mapped. Views live as long as it does.
class SafetensorsCheckpoint {
 public:
  // A folder with model.safetensors.index.json or model.safetensors, such an index, or one file of tensors.
  // Index and files must name the same tensors in the same places. Throws FormatError, or InputError if a
  // file can't be opened.
  explicit SafetensorsCheckpoint(const std::filesystem::path& path);
  // Of bytes that `open` gives and the caller keeps alive: `path` is a file of tensors, or an index (*.json).
  SafetensorsCheckpoint(const std::filesystem::path& path, const OpenBytes& open);

  const std::filesystem::path& path() const { return path_; }  // of the index, or of the one file
  const std::vector<std::filesystem::path>& files() const { return files_; }
  const SafetensorsMetadata& metadata() const { return metadata_; }  // of the first file

  // File after file by their names, and in each by their place.
  std::span<const TensorView> tensors() const { return tensors_.all(); }
  const TensorView* find(std::string_view name) const { return tensors_.find(name); }  // nullptr: not there
  const TensorView& tensor(std::string_view name) const { return tensors_.get(name, path_); }

 private:
  void open(const OpenBytes& open);

  std::filesystem::path path_;
  std::vector<std::unique_ptr<MappedFile>> maps_;
  std::vector<std::filesystem::path> files_;
  SafetensorsMetadata metadata_;
  TensorTable tensors_;
};

}  // namespace gpqa
