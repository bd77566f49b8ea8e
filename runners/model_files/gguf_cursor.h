// Reads forward through a GGUF file's bytes, which may be damaged or hostile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/gguf_reader.h"

namespace gpqa {

// Every read is checked against the file's end; FormatErrors name the byte.
class GgufCursor {
 public:
  GgufCursor(std::span<const std::byte> bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}

  [[noreturn]] void fail(const std::string& message) const {
    throw FormatError(path_, fmt::format("byte {}", at_), message);
  }

  std::uint64_t at() const { return at_; }
  std::uint64_t left() const { return bytes_.size() - at_; }
  std::uint64_t size() const { return bytes_.size(); }

  void skip(std::uint64_t count, const char* what) {
    if (count > left()) {
      fail(fmt::format("{} of {} bytes, but only {} are left: the file is cut short or damaged", what, count,
                       left()));
    }
    at_ += count;
  }

  template <class T>
  T read(const char* what) {
    const auto start = at_;
    skip(sizeof(T), what);
    T value;
    std::memcpy(&value, bytes_.data() + start, sizeof(T));
    return value;
  }

  std::string_view read_string(const char* what) {
    const auto length = read<std::uint64_t>(what);
    const auto start = at_;
    skip(length, what);
    return {reinterpret_cast<const char*>(bytes_.data()) + start, static_cast<std::size_t>(length)};
  }

  GgufType read_type() {
    const auto id = read<std::uint32_t>("a value's type");
    if (id > static_cast<std::uint32_t>(GgufType::f64)) {
      fail(fmt::format("value type {}; expected 0 to 12", id));
    }
    return static_cast<GgufType>(id);
  }

 private:
  std::span<const std::byte> bytes_;
  std::string path_;
  std::uint64_t at_ = 0;
};

}  // namespace gpqa
