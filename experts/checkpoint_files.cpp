#include "experts/checkpoint_files.h"

#include <algorithm>
#include <array>
#include <string>

#include "experts/drop_record.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSmall = 256u << 20;  // a tokenizer.json of Gemma's has 33 MB

bool is_weights(const fs::path& name) {
  constexpr std::array kEnds = {".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".onnx"};
  return std::find(kEnds.begin(), kEnds.end(), name.extension().string()) != kEnds.end();
}

}  // namespace

bool is_written_anew(std::string_view name) {
  return name == "config.json" || name == kRecordFile || name.ends_with(".safetensors") ||
         name.ends_with(".safetensors.index.json");
}

CheckpointFiles list_checkpoint_files(const fs::path& folder) {
  CheckpointFiles files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename();
    if (is_written_anew(name.string())) {
      continue;
    }
    // The hub's cache has links to files.
    const bool small = entry.is_regular_file() && entry.file_size() <= kSmall && !is_weights(name) &&
                       !name.string().starts_with('.') && name != "README.md";
    if (small) {
      files.small_bytes += entry.file_size();
    }
    (small ? files.small : files.left_out).push_back(name);
  }
  std::sort(files.small.begin(), files.small.end());
  std::sort(files.left_out.begin(), files.left_out.end());
  return files;
}

}  // namespace gpqa
