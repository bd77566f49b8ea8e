// A file system of its own, as small as a disk that runs full.
#pragma once

#include <filesystem>
#include <sys/mount.h>

namespace gpqa_test {

// Only root may mount one: look whether it is `mounted`.
class SmallDisk {
 public:
  SmallDisk(const std::filesystem::path& at, const char* size) : at_(at) {
    std::filesystem::create_directories(at);
    mounted_ = ::mount("gpqa-test", at.c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount(at_.c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  bool remount(const char* size) const { return remount(0, size); }
  bool remount_read_only(const char* size) const { return remount(MS_RDONLY, size); }

 private:
  bool remount(unsigned long flags, const char* options) const {
    return ::mount("gpqa-test", at_.c_str(), "tmpfs", MS_REMOUNT | flags, options) == 0;
  }

  std::filesystem::path at_;
  bool mounted_ = false;
};

}  // namespace gpqa_test
