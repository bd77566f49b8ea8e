// Whether a disk has room, asked before the work is done.
#pragma once

#include <cstdint>
#include <filesystem>

namespace gpqa {

// Throws std::runtime_error with both numbers if `folder`'s file system has fewer bytes free than that. One
// that can't say has.
void require_space(const std::filesystem::path& folder, std::uint64_t bytes);

}  // namespace gpqa
