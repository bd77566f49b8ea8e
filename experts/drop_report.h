// What dropping experts tells whoever asked for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace gpqa {

struct DropReport {
  std::size_t layers = 0;
  std::uint64_t experts_before = 0;
  std::uint64_t experts_after = 0;
  std::uint64_t bytes_before = 0;  // of tensors
  std::uint64_t bytes_after = 0;
  std::vector<std::filesystem::path> files = {};     // that were written, in full
  std::vector<std::filesystem::path> left_out = {};  // beside the source's tensors, and not copied
};

// Called often; whoever wants to stop throws from it, and nothing stays of what was written.
using OnProgress = std::function<void(std::uint64_t done, std::uint64_t of)>;

}  // namespace gpqa
