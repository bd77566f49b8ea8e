// The header of a GGUF file (v2, v3): metadata and tensor directory, every count, offset, type and alignment
// checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runners/model_files/mapped_file.h"

namespace gpqa {

// Metadata types by their ids in the file.
enum class GgufType : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

// Arrays (vocabularies of 262,144 strings) are checked and left where they are.
struct GgufArray {
  GgufType type = GgufType::u8;
  std::uint64_t count = 0;
  std::uint64_t offset = 0;  // of the first element in the file
  std::uint64_t bytes = 0;   // of all elements
};

using GgufValue = std::variant<std::uint64_t, std::int64_t, double, bool, std::string, GgufArray>;

// A key as the file has it: what a writer copies unchanged.
struct GgufEntry {
  std::string key;
  GgufType type = GgufType::u8;
  std::uint64_t offset = 0;  // of the value in the file; an array's begins with its element type and count
  std::uint64_t bytes = 0;
};

struct GgufTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  // ne[0] is the row length
  std::uint32_t type = 0;            // ggml's id: block_formats.h
  std::uint32_t file = 0;            // index in GgufHeader::files
  std::uint64_t offset = 0;          // of its bytes in that file
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
};

struct GgufHeader {
  std::vector<std::filesystem::path> files;  // more than one if the model is split
  std::uint32_t version = 0;
  std::uint64_t alignment = 32;               // of the tensors' bytes
  std::vector<GgufEntry> entries;             // in the file's order; of the first file, as metadata is
  std::map<std::string, GgufValue> metadata;  // of the first file
  std::vector<GgufTensor> tensors;            // of all files

  std::uint64_t n_params() const;      // elements of all tensors, as llama-server's `n_params`
  std::uint64_t tensor_bytes() const;  // as llama-server's `size`
  std::optional<std::string> text(const std::string& key) const;
  std::optional<std::uint64_t> count(const std::string& key) const;
  // The element type in which most of the tensors' bytes are: "Q6_K". "" for a file without tensors.
  std::string_view main_type() const;
};

// Of one file's bytes; `path` is for messages. Throws FormatError with the byte offset.
GgufHeader parse_gguf_header(std::span<const std::byte> bytes, const std::filesystem::path& path);

// Follows split files (`split.count`, NAME-00001-of-0000N.gguf) from the first of them.
// Throws FormatError with the byte offset, InputError if a file can't be opened. What `open` gives is read
// before the next part is opened.
GgufHeader read_gguf_header(const std::filesystem::path& path);
GgufHeader read_gguf_header(const std::filesystem::path& path, const OpenBytes& open);

}  // namespace gpqa
