// A file by what is in it.
#pragma once

#include <filesystem>
#include <string>

namespace gpqa {

// SHA-256, with progress on stderr. Throws InputError if it can't be read.
std::string file_hash(const std::filesystem::path& path);

}  // namespace gpqa
