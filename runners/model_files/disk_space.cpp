#include "runners/model_files/disk_space.h"

#include <stdexcept>
#include <sys/statvfs.h>

#include <fmt/format.h>

#include "runners/model_files/new_name.h"

namespace gpqa {

void require_space(const std::filesystem::path& target, std::uint64_t bytes) {
  struct statvfs info {};
  if (::statvfs(folder_of(target).c_str(), &info) != 0 || info.f_blocks == 0) {
    return;
  }
  const auto free = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  if (bytes > free) {
    throw std::runtime_error(fmt::format(
        "{}: {} bytes can't be written there: No space left on device: {} are free, {} more are needed",
        target.string(), bytes, free, bytes - free));
  }
}

}  // namespace gpqa
