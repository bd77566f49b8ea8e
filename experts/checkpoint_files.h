// The files of a checkpoint's folder, by what they are to a model that is made from it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace gpqa {

struct CheckpointFiles {
  std::vector<std::filesystem::path> small;  // names: what a model takes along as it is; sorted
  std::vector<std::filesystem::path>
      left_out;  // names: other weights, folders, hidden files, the README; sorted
  std::uint64_t small_bytes = 0;
};

// Besides the checkpoint's own tensors, index, config.json and record of dropped experts.
CheckpointFiles list_checkpoint_files(const std::filesystem::path& folder);

// model.safetensors, model-00001-of-00002.safetensors, their index, config.json, the record of dropped
// experts: what is written anew.
bool is_written_anew(std::string_view name);

}  // namespace gpqa
