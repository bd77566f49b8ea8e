// Packed weights on disk, beside their model: a second start maps them instead of packing again. One matrix
// after the other, as they lie in memory; then an index (JSON), and where it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runners/model_files/mapped_file.h"
#include "runners/model_files/output_file.h"

namespace gpqa {

class PackedFile {
 public:
  // Null where there is none, or where what is there is not whole, of another layout, or of another model:
  // `identity` stands for the model's content.
  static std::shared_ptr<const PackedFile> open(const std::filesystem::path& path,
                                                const std::string& identity);

  // The matrix's bytes; empty if it isn't there with so many.
  std::span<const std::byte> find(const std::string& key, std::size_t bytes) const;
  bool checked() const { return checked_; }  // for NaN and infinity, before it was written

 private:
  explicit PackedFile(const std::filesystem::path& path) : file_(path) {}
  bool read_index(const std::string& identity);

  MappedFile file_;
  bool checked_ = false;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> places_;  // offset, bytes
};

class PackedFileWriter {
 public:
  // As OutputFile.
  PackedFileWriter(const std::filesystem::path& path, std::string identity, bool checked,
                   std::uint64_t bytes);
  void add(const std::string& key, std::span<const std::byte> matrix);
  void finish();

 private:
  struct Entry {
    std::string key;
    std::uint64_t offset, bytes;
  };
  OutputFile file_;
  std::string identity_;
  bool checked_;
  std::vector<Entry> entries_;
};

}  // namespace gpqa
