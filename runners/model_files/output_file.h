// A file that has its name only when it is whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace gpqa {

// Written as NAME.part beside, synced and renamed by finish(). A file that is there already is never touched.
// What fails throws std::runtime_error with path and reason (a full disk, a quota); the part is then removed.
class OutputFile {
 public:
  // `bytes`: how many there will be; the disk is asked for so many at once, where it can say. Throws
  // InputError if `target` exists, its folder doesn't, or another process is writing it.
  OutputFile(std::filesystem::path target, std::uint64_t bytes);
  ~OutputFile();
  OutputFile(OutputFile&&) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;

  const std::filesystem::path& target() const { return target_; }
  std::uint64_t size() const { return size_; }  // written so far
  void write(std::span<const std::byte> bytes);
  void write(std::string_view bytes) { write(std::as_bytes(std::span(bytes))); }
  // Zeros up to a multiple of `alignment`.
  void align(std::uint64_t alignment);
  // All bytes are on the disk, still as NAME.part: several files that belong together get their names after
  // it.
  void sync();
  void finish();

 private:
  [[noreturn]] void fail(std::string_view what) const;
  void open();
  void reserve(std::uint64_t bytes);
  void discard();
  void flush();
  void write_through(std::span<const std::byte> bytes);
  void to_disk(std::uint64_t begin, unsigned how);

  std::filesystem::path target_;
  std::filesystem::path part_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t handed_over_ = 0;  // to the kernel: size_ without what is buffered
  std::vector<std::byte> buffer_;
};

}  // namespace gpqa
