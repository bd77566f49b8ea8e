#include "runners/model_files/disk_space.h"

#include <stdexcept>
#include <sys/statvfs.h>

#include <fmt/format.h>

namespace gpqa {

void require_space(const std::filesystem::path& folder, std::uint64_t bytes) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0 || info.f_blocks == 0) {
    return;
  }
  const auto free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  if (bytes > free) {
    throw std::runtime_error(fmt::format(
        "{}: No space left on device: {} bytes are to be written, {} are free; {} more are needed",
        folder.string(), bytes, free, bytes - free));
  }
}

}  // namespace gpqa
