#include "runners/model_files/output_folder.h"

#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/new_name.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

std::string reason() {
  return std::generic_category().message(errno);
}

// "out/" names the folder out.
fs::path without_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

}  // namespace

OutputFolder::OutputFolder(fs::path target, const std::function<bool(std::string_view)>& ours)
    : target_(without_slash(target)), part_(target_.string() + ".part") {
  std::error_code none;
  if (fs::exists(fs::symlink_status(target_, none))) {
    throw InputError(fmt::format(
        "{}: is there already, and is not overwritten; name another folder, or remove it", target_.string()));
  }
  open();
  try {
    empty(ours);
  } catch (...) {
    ::close(std::exchange(descriptor_, -1));
    throw;
  }
}

OutputFolder::~OutputFolder() {
  if (descriptor_ < 0) {
    return;
  }
  std::error_code none;
  fs::remove_all(part_, none);
  ::close(descriptor_);
}

void OutputFolder::open() {
  for (;;) {
    if (::mkdir(part_.c_str(), 0777) != 0 && errno != EEXIST) {
      throw InputError(fmt::format("{}: can't be made: {}", part_.string(), reason()));
    }
    descriptor_ = ::open(part_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor_ < 0) {
      if (errno == ENOENT) continue;  // another process finished it in between
      throw InputError(fmt::format("{}: can't be written to: {}", part_.string(), reason()));
    }
    const auto lock = lock_name(descriptor_, part_);
    if (lock == NameLock::held) {
      return;
    }
    ::close(std::exchange(descriptor_, -1));
    if (lock == NameLock::taken) {
      throw InputError(fmt::format("{}: another process is writing it", part_.string()));
    }
  }
}

// Looks at all of it before it removes any.
void OutputFolder::empty(const std::function<bool(std::string_view)>& ours) const {
  constexpr std::string_view kPart = ".part";
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(part_)) {
    std::string name = entry.path().filename().string();
    if (name.ends_with(kPart)) {
      name.resize(name.size() - kPart.size());
    }
    if (!fs::is_regular_file(entry.symlink_status()) || !ours(name)) {
      throw InputError(fmt::format(
          "{}: in the way, and it holds {}, which no earlier try has left there; remove it, or name "
          "another folder",
          part_.string(), entry.path().filename().string()));
    }
    left.push_back(entry.path());
  }
  for (const auto& path : left) {
    fs::remove(path);
  }
}

void OutputFolder::finish() {
  ::fsync(descriptor_);
  if (rename_new(part_, target_) != 0) {
    throw std::runtime_error(fmt::format("{}: can't get its name: {}; what was written of it is removed",
                                         target_.string(), reason()));
  }
  ::close(std::exchange(descriptor_, -1));
  sync_names(folder_of(target_));
}

}  // namespace gpqa
