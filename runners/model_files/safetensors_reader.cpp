#include "runners/model_files/safetensors_reader.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kIndexEnd = ".safetensors.index.json";

// What to open for what a user names.
fs::path entry_of(const fs::path& path) {
  if (!fs::is_directory(path)) {
    return path;
  }
  for (const char* name : {"model.safetensors.index.json", "model.safetensors"}) {
    if (fs::exists(path / name)) {
      return path / name;
    }
  }
  throw InputError(fmt::format(
      "{}: no checkpoint: expected model.safetensors.index.json or model.safetensors in this folder",
      path.string()));
}

// STEM-00001-of-00002.safetensors
bool is_shard(std::string_view name, std::string_view stem) {
  constexpr std::string_view kPattern = "-#####-of-#####.safetensors";
  return name.size() == stem.size() + kPattern.size() && name.starts_with(stem) &&
         std::equal(kPattern.begin(), kPattern.end(), name.begin() + static_cast<std::ptrdiff_t>(stem.size()),
                    [](char p, char c) { return p == '#' ? c >= '0' && c <= '9' : p == c; });
}

// Two downloads in one folder make a model that nobody trained.
void check_strays(const fs::path& index, const std::vector<fs::path>& files) {
  const std::string name = index.filename().string();
  if (!name.ends_with(kIndexEnd)) {
    return;
  }
  const std::string_view stem = std::string_view(name).substr(0, name.size() - kIndexEnd.size());
  const fs::path folder = index.has_parent_path() ? index.parent_path() : fs::path(".");
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto beside = entry.path().filename();
    const bool named =
        std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.filename() == beside; });
    if (!named && is_shard(beside.string(), stem)) {
      throw FormatError(
          index.string(), "",
          fmt::format("{} lies beside it and isn't named in it: parts of two checkpoints?", beside.string()));
    }
  }
}

}  // namespace

SafetensorsCheckpoint::SafetensorsCheckpoint(const fs::path& path) : path_(entry_of(path)) {
  open([this](const fs::path& part) {
    return maps_.emplace_back(std::make_unique<MappedFile>(part))->bytes();
  });
  if (path_.extension() == ".json") {
    check_strays(path_, files_);
  }
}

SafetensorsCheckpoint::SafetensorsCheckpoint(const fs::path& path, const OpenBytes& open) : path_(path) {
  this->open(open);
}

void SafetensorsCheckpoint::open(const OpenBytes& open) {
  if (path_.extension() != ".json") {
    files_.push_back(path_);
    auto header = parse_safetensors(open(path_), path_);
    metadata_ = std::move(header.metadata);
    tensors_ = TensorTable(std::move(header.tensors));
    return;
  }
  const auto bytes = open(path_);
  const auto index =
      parse_safetensors_index({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path_);
  std::unordered_map<std::string_view, std::string_view> file_of;
  std::set<std::string_view> files;
  for (const auto& [name, file] : index) {
    file_of.emplace(name, file);
    files.insert(file);
  }
  std::vector<TensorView> tensors;
  for (const auto& file : files) {
    const auto part_path = files_.emplace_back(path_.parent_path() / file);
    auto part = parse_safetensors(open(part_path), part_path);
    if (files_.size() == 1) {
      metadata_ = std::move(part.metadata);
    }
    for (auto& tensor : part.tensors) {
      const auto named = file_of.find(tensor.name);
      if (named == file_of.end() || named->second != file) {
        throw FormatError(part_path.string(), "tensor " + tensor.name,
                          named == file_of.end()
                              ? fmt::format("{} doesn't name it", path_.filename().string())
                              : fmt::format("{} has it in {}", path_.filename().string(), named->second));
      }
      tensors.push_back(std::move(tensor));
    }
  }
  tensors_ = TensorTable(std::move(tensors));
  for (const auto& [name, file] : index) {
    if (find(name) == nullptr) {
      throw FormatError((path_.parent_path() / file).string(), "tensor " + name,
                        fmt::format("isn't there, but {} has it here", path_.filename().string()));
    }
  }
}

}  // namespace gpqa
