#include "results/posix_file.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {
namespace fs = std::filesystem;
namespace {

std::string reason() {
  return std::generic_category().message(errno);
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

PosixFile::PosixFile(fs::path path, int flags) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), flags | O_CLOEXEC, 0600);
  if (descriptor_ < 0) throw InputError(fmt::format("{}: can't be opened: {}", path_.string(), reason()));
  struct stat info {};
  // A folder can be opened to sync it, but only a plain file has bytes of its own.
  if (::fstat(descriptor_, &info) == 0 && (S_ISREG(info.st_mode) || (flags & O_DIRECTORY) != 0)) return;
  ::close(descriptor_);
  throw InputError(fmt::format("{}: is not a plain file", path_.string()));
}

PosixFile::~PosixFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

PosixFile::PosixFile(PosixFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

void PosixFile::fail(std::string_view what) const {
  throw std::runtime_error(fmt::format("{}: {}: {}", path_.string(), what, reason()));
}

std::uint64_t PosixFile::size() const {
  struct stat info {};
  if (::fstat(descriptor_, &info) != 0) fail("its size can't be read");
  return static_cast<std::uint64_t>(info.st_size);
}

std::string PosixFile::read_at(std::uint64_t offset, std::uint64_t bytes) const {
  const std::uint64_t end = size();
  if (offset > end || bytes > end - offset)
    throw InputError(fmt::format("{}: expected {} bytes from byte {} on, but it ends at byte {}",
                                 path_.string(), bytes, offset, end));
  std::string text(bytes, '\0');
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t n =
        ::pread(descriptor_, text.data() + done, text.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("can't be read");
    if (n == 0) throw InputError(fmt::format("{}: became shorter while it was read", path_.string()));
    done += static_cast<std::size_t>(n);
  }
  return text;
}

void PosixFile::write_at(std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("can't be written");
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void PosixFile::truncate(std::uint64_t size) {
  if (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) fail("can't be cut");
}

void PosixFile::sync() {
  while (::fdatasync(descriptor_) != 0)
    if (errno != EINTR) fail("can't be synced to disk");
}

void PosixFile::make_private() {
  if (::fchmod(descriptor_, 0600) != 0) fail("can't be kept from others");
}

bool PosixFile::try_lock() {
  while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) fail("can't be locked");
  }
  return true;
}

std::string read_whole_file(const fs::path& path, std::uint64_t limit) {
  const PosixFile file(path, O_RDONLY);
  const std::uint64_t size = file.size();
  if (size > limit)
    throw InputError(fmt::format("{}: expected at most {} bytes, found {}", path.string(), limit, size));
  return file.read_at(0, size);
}

void sync_folder(const fs::path& folder) {
  PosixFile directory(folder, O_RDONLY | O_DIRECTORY);
  directory.sync();
}

void replace_file(const fs::path& path, std::string_view bytes) {
  const fs::path beside = path.string() + ".new";
  {
    PosixFile file(beside, O_WRONLY | O_CREAT | O_TRUNC);
    file.make_private();
    file.write_at(0, bytes);
    file.sync();
  }
  fs::rename(beside, path);
  sync_folder(folder_of(path));
}

void make_private_folder(const fs::path& folder) {
  std::vector<fs::path> missing;
  for (fs::path at = folder; !at.empty() && !fs::exists(at); at = at.parent_path()) missing.push_back(at);
  for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
    if (at->filename().empty()) continue;  // a trailing '/'
    const bool last = at + 1 == missing.rend() || (at + 1)->filename().empty();
    if (::mkdir(at->c_str(), last ? 0700 : 0777) != 0 && errno != EEXIST)
      throw InputError(fmt::format("{}: the folder can't be made: {}", at->string(), reason()));
    sync_folder(folder_of(*at));
  }
  if (!fs::is_directory(folder)) throw InputError(fmt::format("{}: is not a folder", folder.string()));
}

}  // namespace gpqa
