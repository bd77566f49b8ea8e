// Files whose bytes must be on the disk before we go on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace gpqa {

// An open file. What fails throws std::runtime_error with path and reason (a full disk, a quota).
class PosixFile {
 public:
  // Throws InputError if it can't be opened. New files can be read by their owner only.
  PosixFile(std::filesystem::path path, int flags);
  ~PosixFile();
  PosixFile(PosixFile&& other) noexcept;
  PosixFile& operator=(PosixFile&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const;
  // Throws if the file ends before `bytes`.
  std::string read_at(std::uint64_t offset, std::uint64_t bytes) const;
  void write_at(std::uint64_t offset, std::string_view bytes);
  void truncate(std::uint64_t size);
  void sync();
  // Nobody but the owner can read it, whatever it was before.
  void make_private();
  // False if another process (or another PosixFile) holds it. Let go when closed, however the process ends.
  bool try_lock();

 private:
  [[noreturn]] void fail(std::string_view what) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

// Throws InputError if it can't be read, is no plain file, or is larger than `limit`.
std::string read_whole_file(const std::filesystem::path& path, std::uint64_t limit = UINT64_MAX);
// Written beside, synced, renamed: a reader sees the old or the new bytes, whatever happens.
void replace_file(const std::filesystem::path& path, std::string_view bytes);
// Makes the folder (0700) and its missing parents, and has their names on disk.
void make_private_folder(const std::filesystem::path& folder);
// Has the names in a folder on disk.
void sync_folder(const std::filesystem::path& folder);

}  // namespace gpqa
