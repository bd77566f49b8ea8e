#include "runners/model_files/gguf_metadata.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "runners/model_files/gguf_file.h"

namespace gpqa {
namespace {

std::string string_bytes(std::string_view text) {
  const std::uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  return bytes.append(text);
}

}  // namespace

GgufMetadata::GgufMetadata(const GgufFile& file) {
  const bool split = file.header().files.size() > 1;
  for (const auto& entry : file.header().entries) {
    if (split && entry.key.starts_with("split.")) {
      continue;
    }
    const auto bytes = file.raw(entry);
    entries_.push_back({entry.key, entry.type, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
  }
}

const GgufMetadata::Entry* GgufMetadata::find(std::string_view key) const {
  const auto it =
      std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.key == key; });
  return it == entries_.end() ? nullptr : &*it;
}

std::uint64_t GgufMetadata::alignment() const {
  const auto* entry = find("general.alignment");
  if (entry == nullptr) {
    return 32;
  }
  // Of a file it may have any width; bytes that aren't there are zero.
  std::uint64_t value = 0;
  assert(entry->bytes.size() <= sizeof value);
  std::memcpy(&value, entry->bytes.data(), entry->bytes.size());
  assert(std::has_single_bit(value));
  return value;
}

std::string GgufMetadata::array_head(GgufType type, std::uint64_t count) {
  return bytes_of(static_cast<std::uint32_t>(type)) + bytes_of(count);
}

void GgufMetadata::set(std::string_view key, std::string_view text) {
  put(key, GgufType::string, string_bytes(text));
}

void GgufMetadata::set(std::string_view key, const std::vector<std::string>& texts) {
  std::string bytes = array_head(GgufType::string, texts.size());
  for (const auto& text : texts) {
    bytes += string_bytes(text);
  }
  put(key, GgufType::array, std::move(bytes));
}

bool GgufMetadata::remove(std::string_view key) {
  return std::erase_if(entries_, [&](const auto& entry) { return entry.key == key; }) > 0;
}

void GgufMetadata::put(std::string_view key, GgufType type, std::string bytes) {
  assert(!key.empty() && key.size() <= 65535);
  for (auto& entry : entries_) {
    if (entry.key == key) {
      entry.type = type;
      entry.bytes = std::move(bytes);
      return;
    }
  }
  entries_.push_back({std::string(key), type, std::move(bytes)});
}

}  // namespace gpqa
