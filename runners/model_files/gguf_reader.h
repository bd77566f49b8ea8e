// The header of a GGUF file: metadata and tensor directory, every count, offset, type and alignment checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace gpqa {

struct GgufArray;
using GgufValue = std::variant<std::uint64_t, std::int64_t, double, bool, std::string, GgufArray>;
// Long arrays (vocabularies) are kept as they are: the header of a real model is about 15 MB.
struct GgufArray {
  std::vector<GgufValue> values;
};

struct GgufTensor {
  std::string name;
  std::vector<std::uint64_t> shape;  // ne[0] is the row length
  std::uint32_t type = 0;            // ggml type id
  std::uint64_t offset = 0;          // from the start of the data section
  std::uint64_t bytes = 0;
};

struct GgufHeader {
  std::filesystem::path path;
  std::uint32_t version = 0;
  std::map<std::string, GgufValue> metadata;
  std::vector<GgufTensor> tensors;
  std::uint64_t alignment = 32;
  std::uint64_t data_offset = 0;

  std::uint64_t n_params() const;      // elements of all tensors, as llama-server's `n_params`
  std::uint64_t tensor_bytes() const;  // as llama-server's `size`
};

// Follows split files (`split.count`, NAME-00001-of-0000N.gguf): their tensors are added, offsets stay per
// file. Throws FormatError with the byte offset.
GgufHeader read_gguf_header(const std::filesystem::path& path);

}  // namespace gpqa
