#include "experts/imatrix_legacy.h"

#include <cstring>
#include <string>

#include <fmt/format.h>

#include "experts/expert_cut.h"
#include "experts/imatrix_entries.h"
#include "prompts/input_error.h"
#include "runners/model_files/mapped_file.h"
#include "runners/model_files/output_file.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 65535;

class Cursor {
 public:
  Cursor(std::string_view bytes, const fs::path& path) : bytes_(bytes), path_(path) {}

  std::size_t at() const { return at_; }
  std::string_view since(std::size_t begin) const { return bytes_.substr(begin, at_ - begin); }
  std::string_view rest() const { return bytes_.substr(at_); }

  std::string_view take(std::size_t count, const char* what) {
    if (count > bytes_.size() - at_) {
      throw FormatError(path_.string(), fmt::format("byte {}", at_),
                        fmt::format("{} of {} bytes, but only {} are left: no imatrix, or it is cut short",
                                    what, count, bytes_.size() - at_));
    }
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  // A number from 1 on.
  std::size_t count(std::size_t most, const char* what) {
    const auto begin = at_;
    std::int32_t value = 0;
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    if (value < 1 || static_cast<std::size_t>(value) > most) {
      throw FormatError(path_.string(), fmt::format("byte {}", begin),
                        fmt::format("{} is {}: no imatrix, or it is damaged", what, value));
    }
    return static_cast<std::size_t>(value);
  }

 private:
  std::string_view bytes_;
  const fs::path& path_;
  std::size_t at_ = 0;
};

std::string number(std::size_t value) {
  const auto out = static_cast<std::int32_t>(value);
  return {reinterpret_cast<const char*>(&out), sizeof out};
}

}  // namespace

LegacyImatrix parse_legacy_imatrix(std::string_view bytes, const fs::path& path) {
  Cursor in(bytes, path);
  LegacyImatrix out;
  // Each entry takes more than 16 bytes.
  const auto entries = in.count(bytes.size() / 16 + 1, "the number of entries");
  for (std::size_t i = 0; i < entries; ++i) {
    const auto begin = in.at();
    LegacyImatrix::Entry entry;
    entry.weight = in.take(in.count(kLongestName, "a name's length"), "a name");
    in.take(sizeof(std::int32_t), "a number of calls");
    entry.head = in.since(begin);
    const auto values = in.count(bytes.size() / sizeof(float), "a number of values");
    entry.values = in.take(values * sizeof(float), "values");
    out.entries.push_back(entry);
  }
  out.rest = in.rest();
  return out;
}

DropReport drop_from_legacy_imatrix(const fs::path& imatrix, const TracedMap& map, const fs::path& map_path,
                                    std::optional<std::uint32_t> said, const fs::path& out) {
  const MappedFile file(imatrix);
  const auto all = parse_legacy_imatrix(file.text(), imatrix);
  ImatrixExperts found(imatrix);
  for (const auto& entry : all.entries) {
    found.add(entry.weight, entry.values.size() / sizeof(float), 1);
  }
  const auto experts = found.experts(said);
  check_fits(map.map, map_path, found.layers(), experts, std::nullopt);
  const auto keep = keep_lists(map.map, experts);

  std::string bytes = number(all.entries.size());
  for (const auto& entry : all.entries) {
    bytes += entry.head;
    const auto layer = found.layer_of(entry.weight);
    if (!layer) {
      bytes += number(entry.values.size() / sizeof(float));
      bytes += entry.values;
      continue;
    }
    const auto each = entry.values.size() / experts;
    if (each * experts != entry.values.size() || each % sizeof(float) != 0) {
      throw FormatError(imatrix.string(), std::string(entry.weight),
                        fmt::format("{} values are no multiple of {} experts",
                                    entry.values.size() / sizeof(float), experts));
    }
    bytes += number(each / sizeof(float) * keep.at(*layer).size());
    for (const auto id : keep.at(*layer)) {
      bytes += entry.values.substr(id * each, each);
    }
  }
  bytes += all.rest;
  OutputFile written(out, bytes.size());
  written.write(bytes);
  written.finish();
  return {.layers = keep.size(),
          .experts_before = experts,
          .experts_after = keep[0].size(),
          .bytes_before = file.bytes().size(),
          .bytes_after = bytes.size(),
          .files = {out}};
}

}  // namespace gpqa
