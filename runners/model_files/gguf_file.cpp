#include "runners/model_files/gguf_file.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace {

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Calls visit(T) with each of `count` numbers of that type; false if it is no type of numbers.
// A boolean is the byte it is stored in.
template <class Visit>
bool for_each_number(GgufType type, std::uint64_t count, const std::byte* bytes, Visit&& visit) {
  const auto all = [&]<class T>(T) {
    for (std::uint64_t i = 0; i < count; ++i) {
      visit(load<T>(bytes + i * sizeof(T)));
    }
    return true;
  };
  switch (type) {
    case GgufType::u8:
    case GgufType::boolean:
      return all(std::uint8_t{});
    case GgufType::i8:
      return all(std::int8_t{});
    case GgufType::u16:
      return all(std::uint16_t{});
    case GgufType::i16:
      return all(std::int16_t{});
    case GgufType::u32:
      return all(std::uint32_t{});
    case GgufType::i32:
      return all(std::int32_t{});
    case GgufType::u64:
      return all(std::uint64_t{});
    case GgufType::i64:
      return all(std::int64_t{});
    case GgufType::f32:
      return all(float{});
    case GgufType::f64:
      return all(double{});
    case GgufType::string:
    case GgufType::array:
      return false;
  }
  return false;
}

bool is_float(GgufType type) {
  return type == GgufType::f32 || type == GgufType::f64;
}

}  // namespace

std::string_view gguf_type_name(GgufType type) {
  constexpr std::array<std::string_view, 13> kNames = {
      "u8", "i8", "u16", "i16", "u32", "i32", "f32", "boolean", "string", "array", "u64", "i64", "f64"};
  return kNames.at(static_cast<std::size_t>(type));
}

GgufFile::GgufFile(const std::filesystem::path& path) {
  open(path, [this](const std::filesystem::path& part) {
    return maps_.emplace_back(std::make_unique<MappedFile>(part))->bytes();
  });
}

GgufFile::GgufFile(const std::filesystem::path& path, const OpenBytes& open) {
  this->open(path, open);
}

void GgufFile::open(const std::filesystem::path& path, const OpenBytes& open) {
  header_ = read_gguf_header(
      path, [&](const std::filesystem::path& part) { return files_.emplace_back(open(part)); });
  std::vector<TensorView> views;
  views.reserve(header_.tensors.size());
  for (const auto& tensor : header_.tensors) {
    views.push_back({.name = tensor.name,
                     .format = *block_format(tensor.type),
                     .shape = tensor.shape,
                     .bytes = files_[tensor.file].subspan(tensor.offset, tensor.bytes)});
  }
  tensors_ = TensorTable(std::move(views));
  for (std::size_t i = 0; i < header_.entries.size(); ++i) {
    by_key_.emplace(header_.entries[i].key, i);
  }
}

const GgufEntry* GgufFile::entry(std::string_view key) const {
  const auto it = by_key_.find(key);
  return it == by_key_.end() ? nullptr : &header_.entries[it->second];
}

std::span<const std::byte> GgufFile::raw(const GgufEntry& entry) const {
  return files_[0].subspan(entry.offset, entry.bytes);
}

void GgufFile::fail(std::string_view key, std::string_view what) const {
  throw FormatError(path().string(), "", fmt::format("key {} {}", key, what));
}

// A lone value or an array's.
GgufFile::Elements GgufFile::elements(std::string_view key) const {
  const auto* found = entry(key);
  if (found == nullptr) {
    fail(key, "is missing");
  }
  if (found->type != GgufType::array) {
    return {found->type, 1, raw(*found).data()};
  }
  const auto& array = std::get<GgufArray>(header_.metadata.at(found->key));
  return {array.type, array.count, files_[0].data() + array.offset};
}

void GgufFile::fail(const GgufEntry& entry, const char* expected) const {
  std::string found(gguf_type_name(entry.type));
  if (entry.type == GgufType::array) {
    const auto& array = std::get<GgufArray>(header_.metadata.at(entry.key));
    found = fmt::format("{} of {} {}", found, array.count, gguf_type_name(array.type));
  }
  fail(entry.key, fmt::format("is of type {}; expected {}", found, expected));
}

std::string_view GgufFile::text(std::string_view key) const {
  const auto all = elements(key);
  const auto* found = entry(key);
  if (found->type != GgufType::string) {
    fail(*found, "string");
  }
  return {reinterpret_cast<const char*>(all.bytes) + sizeof(std::uint64_t),
          static_cast<std::size_t>(load<std::uint64_t>(all.bytes))};
}

std::uint64_t GgufFile::count(std::string_view key) const {
  const auto all = elements(key);
  const auto* found = entry(key);
  if (found->type == GgufType::array || found->type == GgufType::boolean || is_float(found->type)) {
    fail(*found, "an integer");
  }
  std::uint64_t value = 0;
  const auto take = [&](auto n) {
    if (n < decltype(n){}) {
      fail(key, fmt::format("is {}; expected 0 or more", n));
    }
    value = static_cast<std::uint64_t>(+n);
  };
  if (!for_each_number(all.type, 1, all.bytes, take)) {
    fail(*found, "an integer");
  }
  return value;
}

double GgufFile::number(std::string_view key) const {
  const auto all = elements(key);
  const auto* found = entry(key);
  double value = 0;
  if (found->type == GgufType::array || found->type == GgufType::boolean ||
      !for_each_number(all.type, 1, all.bytes, [&](auto n) { value = static_cast<double>(n); })) {
    fail(*found, "a number");
  }
  if (!std::isfinite(value)) {
    fail(key, fmt::format("is {}; expected a finite number", value));
  }
  return value;
}

bool GgufFile::flag(std::string_view key) const {
  const auto all = elements(key);
  const auto* found = entry(key);
  if (found->type != GgufType::boolean) {
    fail(*found, "boolean");
  }
  return load<std::uint8_t>(all.bytes) != 0;
}

std::vector<std::string_view> GgufFile::strings(std::string_view key) const {
  const auto all = elements(key);
  if (all.type != GgufType::string) {
    fail(*entry(key), "strings");
  }
  std::vector<std::string_view> out;
  out.reserve(all.count);
  const auto* at = all.bytes;
  for (std::uint64_t i = 0; i < all.count; ++i) {
    const auto length = load<std::uint64_t>(at);
    at += sizeof length;
    out.emplace_back(reinterpret_cast<const char*>(at), length);
    at += length;
  }
  return out;
}

std::vector<std::int64_t> GgufFile::integers(std::string_view key) const {
  const auto all = elements(key);
  std::vector<std::int64_t> out;
  const auto take = [&](auto n) {
    if constexpr (std::is_same_v<decltype(n), std::uint64_t>) {
      if (n > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        fail(key, fmt::format("holds {}, beyond 63 bits", n));
      }
    }
    out.push_back(static_cast<std::int64_t>(n));
  };
  // Strings take at least as many bytes, so the count is bounded by the file's size for them as well.
  out.reserve(all.count);
  if (is_float(all.type) || !for_each_number(all.type, all.count, all.bytes, take)) {
    fail(*entry(key), "integers");
  }
  if (all.type == GgufType::boolean) {
    for (auto& n : out) {
      n = n != 0 ? 1 : 0;
    }
  }
  return out;
}

std::vector<float> GgufFile::floats(std::string_view key) const {
  const auto all = elements(key);
  if (!is_float(all.type)) {
    fail(*entry(key), "floats");
  }
  std::vector<float> out;
  out.reserve(all.count);
  for_each_number(all.type, all.count, all.bytes, [&](auto n) { out.push_back(static_cast<float>(n)); });
  return out;
}

std::vector<bool> GgufFile::flags(std::string_view key) const {
  const auto all = elements(key);
  if (all.type != GgufType::boolean) {
    fail(*entry(key), "booleans");
  }
  std::vector<bool> out;
  out.reserve(all.count);
  for_each_number(all.type, all.count, all.bytes, [&](auto n) { out.push_back(n != decltype(n){}); });
  return out;
}

}  // namespace gpqa
