// Sizes as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gpqa {

// "5GiB", "100 MB", "4096": a number from 1 on, and bytes, KB, MB, GB (powers of 1000) or KiB, MiB, GiB (of
// 1024). Throws InputError.
std::uint64_t parse_byte_size(std::string_view text);

std::string byte_words(std::uint64_t bytes);  // "17.79 GB", "3.26 MB", "912 bytes"

}  // namespace gpqa
