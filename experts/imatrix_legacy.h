// llama-imatrix's older format: entries of a name, a number of calls, and values; a weight's experts lie one
// after another in its values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "experts/drop_report.h"
#include "experts/map_provenance.h"

namespace gpqa {

struct LegacyImatrix {
  struct Entry {
    std::string_view head;    // its bytes up to the number of values: length, name, calls
    std::string_view weight;  // within the head
    std::string_view values;  // float32
  };
  std::vector<Entry> entries;
  std::string_view rest;  // chunks and data set, or nothing
};

// Views of `bytes`. Throws FormatError that names the byte.
LegacyImatrix parse_legacy_imatrix(std::string_view bytes, const std::filesystem::path& path);

// As drop_from_imatrix(). The format has no place that says what was dropped.
DropReport drop_from_legacy_imatrix(const std::filesystem::path& imatrix, const TracedMap& map,
                                    const std::filesystem::path& map_path,
                                    std::optional<std::uint32_t> experts, const std::filesystem::path& out);

}  // namespace gpqa
