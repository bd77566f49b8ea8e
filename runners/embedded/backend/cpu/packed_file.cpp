#include "runners/embedded/backend/cpu/packed_file.h"

#include <cstring>
#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>

#include "prompts/sha256.h"
#include "runners/embedded/backend/cpu/packed_matrix.h"

namespace gpqa {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kPage = 4096;
constexpr std::string_view kMagic = "gpqa packed\n";

// The file's last bytes.
struct Footer {
  std::uint64_t offset, bytes;  // of the index
  char sha256[64];              // likewise
  char magic[kMagic.size()];
  char padding[4];
};
static_assert(sizeof(Footer) == 96);

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::shared_ptr<const PackedFile> PackedFile::open(const std::filesystem::path& path,
                                                   const std::string& identity) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error) ||
      std::filesystem::file_size(path, error) < sizeof(Footer))
    return nullptr;
  const std::shared_ptr<PackedFile> file(new PackedFile(path));
  return file->read_index(identity) ? file : nullptr;
}

bool PackedFile::read_index(const std::string& identity) {
  const auto all = file_.bytes();
  const std::size_t end = all.size() - sizeof(Footer);
  Footer footer;
  std::memcpy(&footer, all.data() + end, sizeof footer);
  if (std::string_view(footer.magic, kMagic.size()) != kMagic || footer.offset > end ||
      footer.bytes != end - footer.offset)
    return false;
  const auto index = text_of(all.subspan(footer.offset, footer.bytes));
  if (sha256_hex(index) != std::string_view(footer.sha256, sizeof footer.sha256)) return false;
  // By its hash the index is what was written.
  const Json json = Json::parse(index, nullptr, false);
  if (!json.is_object() || json.value("layout", 0) != kPackedLayout || json.value("identity", "") != identity)
    return false;
  checked_ = json.value("checked", false);
  for (const auto& entry : json.at("matrices")) {
    const auto offset = entry.at("offset").get<std::uint64_t>();
    const auto bytes = entry.at("bytes").get<std::uint64_t>();
    if (offset % kPage != 0 || offset > footer.offset || bytes > footer.offset - offset) return false;
    places_[entry.at("key").get<std::string>()] = {offset, bytes};
  }
  return true;
}

std::span<const std::byte> PackedFile::find(const std::string& key, std::size_t bytes) const {
  const auto place = places_.find(key);
  if (place == places_.end() || place->second.second != bytes) return {};
  return file_.bytes().subspan(place->second.first, bytes);
}

PackedFileWriter::PackedFileWriter(const std::filesystem::path& path, std::string identity, bool checked,
                                   std::uint64_t bytes)
    : file_(path, bytes), identity_(std::move(identity)), checked_(checked) {}

void PackedFileWriter::add(const std::string& key, std::span<const std::byte> matrix) {
  file_.align(kPage);
  entries_.push_back({key, file_.size(), matrix.size()});
  file_.write(matrix);
}

void PackedFileWriter::finish() {
  Json json = {
      {"layout", kPackedLayout}, {"identity", identity_}, {"checked", checked_}, {"matrices", Json::array()}};
  for (const auto& entry : entries_)
    json["matrices"].push_back({{"key", entry.key}, {"offset", entry.offset}, {"bytes", entry.bytes}});
  const std::string index = json.dump();
  const std::string hash = sha256_hex(index);
  file_.align(kPage);
  Footer footer{};
  footer.offset = file_.size();
  footer.bytes = index.size();
  std::memcpy(footer.sha256, hash.data(), sizeof footer.sha256);
  std::memcpy(footer.magic, kMagic.data(), kMagic.size());
  file_.write(index);
  file_.write(std::as_bytes(std::span(&footer, 1)));
  file_.finish();
}

}  // namespace gpqa
