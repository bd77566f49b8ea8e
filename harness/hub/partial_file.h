// A download that is not whole yet: FILE.part, and FILE.part.etag that says of which version it is a part.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "results/posix_file.h"

namespace gpqa {

// Ours alone while it lives: throws InputError if another process has it. Only its owner can read it.
class PartialFile {
 public:
  explicit PartialFile(const std::filesystem::path& target);
  ~PartialFile();  // leaves no empty file behind
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  const std::filesystem::path& path() const { return file_.path(); }
  std::uint64_t size() const { return size_; }
  // "": what is there can't be gone on with.
  const std::string& etag() const { return etag_; }

  // Forgets what is there. Only a strong ETag promises the same bytes later; others aren't kept.
  void start(const std::string& etag);
  void append(std::string_view bytes);
  std::string read() const;
  // Takes both files away.
  void remove();

 private:
  std::filesystem::path etag_path() const { return path().string() + ".etag"; }

  PosixFile file_;
  std::uint64_t size_ = 0;
  std::string etag_;
  bool removed_ = false;
};

}  // namespace gpqa
