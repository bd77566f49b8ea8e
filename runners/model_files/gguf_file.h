// A GGUF model's tensors and metadata where they lie, all parts of a split one mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runners/model_files/gguf_reader.h"
#include "runners/model_files/mapped_file.h"
#include "runners/model_files/tensor_table.h"

namespace gpqa {

// Everything in the header has been checked; what the readouts below ask for beyond that, they check and
// throw FormatError with file and key. Views and string_views live as long as the file.
class GgufFile {
 public:
  // The first part if it is split. Throws FormatError with the byte offset, InputError if it can't be opened.
  explicit GgufFile(const std::filesystem::path& path);
  // Of bytes that `open` gives and the caller keeps alive: `path` and its other parts are names to it.
  GgufFile(const std::filesystem::path& path, const OpenBytes& open);

  const GgufHeader& header() const { return header_; }
  const std::filesystem::path& path() const { return header_.files[0]; }

  // In the file's order.
  std::span<const TensorView> tensors() const { return tensors_.all(); }
  const TensorView* find(std::string_view name) const { return tensors_.find(name); }  // nullptr: not there
  const TensorView& tensor(std::string_view name) const { return tensors_.get(name, path()); }

  // Metadata by its key: a key that isn't there, or is of another kind, is an error; `has` asks first.
  bool has(std::string_view key) const { return entry(key) != nullptr; }
  std::string_view text(std::string_view key) const;
  std::uint64_t count(std::string_view key) const;  // an integer of any type that isn't negative
  double number(std::string_view key) const;        // finite; a float or an integer of any type
  bool flag(std::string_view key) const;
  // A lone value is an array of one, as keys that may differ by layer are written where they don't.
  std::vector<std::string_view> strings(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key) const;  // of any type; booleans are 0 and 1
  std::vector<float> floats(std::string_view key) const;           // F32, or F64 rounded
  std::vector<bool> flags(std::string_view key) const;

  // A key's value as it lies in the file: an array's begins with its element type and count.
  std::span<const std::byte> raw(const GgufEntry& entry) const;

 private:
  struct Elements {
    GgufType type = GgufType::u8;
    std::uint64_t count = 0;
    const std::byte* bytes = nullptr;
  };
  void open(const std::filesystem::path& path, const OpenBytes& open);
  const GgufEntry* entry(std::string_view key) const;
  Elements elements(std::string_view key) const;
  [[noreturn]] void fail(const GgufEntry& entry, const char* expected) const;
  [[noreturn]] void fail(std::string_view key, std::string_view what) const;

  GgufHeader header_;
  std::vector<std::unique_ptr<MappedFile>> maps_;
  std::vector<std::span<const std::byte>> files_;
  TensorTable tensors_;
  std::unordered_map<std::string_view, std::size_t> by_key_;  // in header_.entries
};

// "u32", "an array of string": as messages and listings say it.
std::string_view gguf_type_name(GgufType type);

}  // namespace gpqa
