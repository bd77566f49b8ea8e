// A file's bytes in memory, read-only, paged in as they are touched.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

namespace gpqa {

class MappedFile {
 public:
  // So many zeros follow the bytes, for parsers that read ahead.
  static constexpr std::size_t kPadding = 4096;

  // Throws InputError if the file can't be opened, isn't a regular file, or is empty.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;  // with the padding
};

// Has the pages of a part of a MappedFile in memory before they are touched: much less work than one by one.
// A hint, for parts that are looked at soon.
void load_pages(std::span<const std::byte> part);

// Gives back the memory of a mapping's whole pages in `part`; they come again from the file when they are
// touched. Only of a MappedFile's bytes: any other memory would be wiped.
void drop_pages(std::span<const std::byte> part);

// The bytes of a model's file by its name, wherever they are: mapped, or in memory. Throws InputError if
// there is no such file.
using OpenBytes = std::function<std::span<const std::byte>(const std::filesystem::path&)>;

}  // namespace gpqa
