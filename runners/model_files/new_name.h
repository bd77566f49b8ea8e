// Names that files and folders get only once they are whole.
#pragma once

#include <filesystem>

namespace gpqa {

// Renames, never over something that came into being meanwhile. 0, or -1 with errno.
int rename_new(const std::filesystem::path& from, const std::filesystem::path& to);

// The folder that `path` lies in: "." of a bare name.
std::filesystem::path folder_of(const std::filesystem::path& path);

// Has the names in a folder on disk. A file system without synced folders has done what it can.
void sync_names(const std::filesystem::path& folder);

// A lock on an open file or folder, let go when it is closed, however the process ends: `taken` if another
// process holds it, `gone` if `path` no longer leads to it.
enum class NameLock { held, taken, gone };
NameLock lock_name(int descriptor, const std::filesystem::path& path);

}  // namespace gpqa
