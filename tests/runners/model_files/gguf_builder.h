// GGUF files put together byte by byte, right or wrong.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace gpqa {

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct TemporaryFile {
  std::filesystem::path path;
  explicit TemporaryFile(const std::string& name)
      : path(std::filesystem::temp_directory_path() / (std::to_string(getpid()) + name)) {}
  ~TemporaryFile() { std::filesystem::remove(path); }
  void write(std::string_view bytes) const { std::ofstream(path, std::ios::binary) << bytes; }
};

struct GgufBuilder {
  std::string bytes;
  template <class T>
  GgufBuilder& put(T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  GgufBuilder& put_string(std::string_view text) {
    put<std::uint64_t>(text.size());
    bytes.append(text);
    return *this;
  }
  GgufBuilder& head(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
    bytes = "GGUF";
    return put(version).put(tensors).put(keys);
  }
  GgufBuilder& count_key(std::string_view key, std::uint16_t value) {
    return put_string(key).put<std::uint32_t>(2).put(value);
  }
  GgufBuilder& tensor(std::string_view name, const std::vector<std::uint64_t>& shape, std::uint32_t type,
                      std::uint64_t offset) {
    put_string(name).put(static_cast<std::uint32_t>(shape.size()));
    for (const auto length : shape) {
      put(length);
    }
    return put(type).put(offset);
  }
  GgufBuilder& data(std::size_t count) {
    bytes.resize((bytes.size() + 31) / 32 * 32 + count);
    return *this;
  }
};

}  // namespace gpqa
