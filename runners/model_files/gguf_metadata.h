// The keys of a GGUF file that is going to be written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "runners/model_files/gguf_reader.h"

namespace gpqa {

class GgufFile;

template <class T>
constexpr GgufType gguf_type_of() {
  // clang-format off
  if constexpr (std::is_same_v<T, std::uint8_t>) return GgufType::u8;
  else if constexpr (std::is_same_v<T, std::int8_t>) return GgufType::i8;
  else if constexpr (std::is_same_v<T, std::uint16_t>) return GgufType::u16;
  else if constexpr (std::is_same_v<T, std::int16_t>) return GgufType::i16;
  else if constexpr (std::is_same_v<T, std::uint32_t>) return GgufType::u32;
  else if constexpr (std::is_same_v<T, std::int32_t>) return GgufType::i32;
  else if constexpr (std::is_same_v<T, std::uint64_t>) return GgufType::u64;
  else if constexpr (std::is_same_v<T, std::int64_t>) return GgufType::i64;
  else if constexpr (std::is_same_v<T, float>) return GgufType::f32;
  else if constexpr (std::is_same_v<T, double>) return GgufType::f64;
  else {
    static_assert(std::is_same_v<T, bool>, "no type of GGUF's");
    return GgufType::boolean;
  }
  // clang-format on
}

// In the order in which they are written, each value as the bytes that will stand in the file.
class GgufMetadata {
 public:
  struct Entry {
    std::string key;
    GgufType type = GgufType::u8;
    std::string bytes;  // an array's begin with its element type and count
  };

  GgufMetadata() = default;
  // All keys of a file, unchanged. Of a split one without `split.*`: what is written is one file.
  explicit GgufMetadata(const GgufFile& file);

  const std::vector<Entry>& entries() const { return entries_; }
  const Entry* find(std::string_view key) const;  // nullptr: not there
  // Tensors' bytes begin at multiples of this: `general.alignment`, 32 without it.
  std::uint64_t alignment() const;

  // In the place of the key if it is there, else at the end. T decides the type in the file: gguf_type_of.
  template <class T>
  void set(std::string_view key, T value) {
    put(key, gguf_type_of<T>(), bytes_of(value));
  }
  template <class T>
  void set(std::string_view key, const std::vector<T>& values) {
    std::string bytes = array_head(gguf_type_of<T>(), values.size());
    for (const T value : values) {
      bytes += bytes_of(value);
    }
    put(key, GgufType::array, std::move(bytes));
  }
  void set(std::string_view key, std::string_view text);
  void set(std::string_view key, const char* text) { set(key, std::string_view(text)); }
  void set(std::string_view key, const std::string& text) { set(key, std::string_view(text)); }
  void set(std::string_view key, const std::vector<std::string>& texts);
  bool remove(std::string_view key);  // false: it wasn't there

 private:
  template <class T>
  static std::string bytes_of(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  static std::string array_head(GgufType type, std::uint64_t count);
  void put(std::string_view key, GgufType type, std::string bytes);

  std::vector<Entry> entries_;
};

}  // namespace gpqa
