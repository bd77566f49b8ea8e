#include "runners/model_files/output_file.h"

#include <cassert>
#include <cerrno>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/model_files/disk_space.h"
#include "runners/model_files/new_name.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferBytes = 1u << 20;
// Writing to the disk begins window by window, so that little is left to wait for at the end; a few are on
// their way at a time.
constexpr std::uint64_t kWindowBytes = 8u << 20;
constexpr std::uint64_t kWindowsOnTheWay = 3;

std::string reason() {
  return std::generic_category().message(errno);
}

}  // namespace

OutputFile::OutputFile(fs::path target, std::uint64_t bytes)
    : target_(std::move(target)), part_(target_.string() + ".part") {
  std::error_code none;
  if (fs::exists(fs::symlink_status(target_, none))) {
    throw InputError(fmt::format(
        "{}: is there already, and is not overwritten; name another file, or remove it", target_.string()));
  }
  open();
  try {
    reserve(bytes);
  } catch (...) {
    discard();
    throw;
  }
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : target_(std::move(other.target_)),
      part_(std::move(other.part_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      handed_over_(other.handed_over_),
      buffer_(std::move(other.buffer_)) {}

OutputFile::~OutputFile() {
  discard();
}

void OutputFile::discard() {
  if (descriptor_ >= 0) {
    ::unlink(part_.c_str());
    ::close(std::exchange(descriptor_, -1));
  }
}

// Better now than after an hour's work. Not every file system can say.
void OutputFile::reserve(std::uint64_t bytes) {
  require_space(target_, bytes);
  if (bytes > 0 && ::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0 &&
      (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)) {
    throw std::runtime_error(
        fmt::format("{}: {} bytes can't be written there: {}", target_.string(), bytes, reason()));
  }
}

// A part that a killed process left is taken over; one that is being written is not.
void OutputFile::open() {
  for (;;) {
    descriptor_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor_ < 0) {
      throw InputError(fmt::format("{}: can't be written: {}", part_.string(), reason()));
    }
    const auto lock = lock_name(descriptor_, part_);
    if (lock == NameLock::held) {
      break;
    }
    ::close(std::exchange(descriptor_, -1));
    if (lock == NameLock::taken) {
      throw InputError(fmt::format("{}: another process is writing it", part_.string()));
    }
    // Gone: another process finished it in between.
  }
  if (::ftruncate(descriptor_, 0) != 0) {
    const std::string why = reason();
    ::close(std::exchange(descriptor_, -1));
    throw InputError(fmt::format("{}: can't be written: {}", part_.string(), why));
  }
}

void OutputFile::fail(std::string_view what) const {
  throw std::runtime_error(
      fmt::format("{}: {}: {}; what was written of it is removed", target_.string(), what, reason()));
}

void OutputFile::write_through(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      fail("can't be written");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    const auto before = handed_over_ / kWindowBytes;
    handed_over_ += static_cast<std::uint64_t>(n);
    for (auto window = before; window < handed_over_ / kWindowBytes; ++window) {
      to_disk(window * kWindowBytes, SYNC_FILE_RANGE_WRITE);
      if (window >= kWindowsOnTheWay) {
        const auto done = (window - kWindowsOnTheWay) * kWindowBytes;
        to_disk(done, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
        // The same memory again, instead of as much as the file is large: it would push out what others read.
        ::posix_fadvise(descriptor_, static_cast<off_t>(done), kWindowBytes, POSIX_FADV_DONTNEED);
      }
    }
  }
}

// A file system that can't do it gets everything from sync().
void OutputFile::to_disk(std::uint64_t begin, unsigned how) {
  if (::sync_file_range(descriptor_, static_cast<off64_t>(begin), kWindowBytes, how) != 0 &&
      errno != ENOSYS && errno != EINVAL && errno != ESPIPE) {
    fail("can't be written to disk");
  }
}

void OutputFile::flush() {
  write_through(buffer_);
  buffer_.clear();
}

void OutputFile::write(std::span<const std::byte> bytes) {
  assert(descriptor_ >= 0);
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    flush();
  }
  if (bytes.size() > kBufferBytes) {
    write_through(bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
  size_ += bytes.size();
}

void OutputFile::align(std::uint64_t alignment) {
  const auto zeros = (alignment - size_ % alignment) % alignment;
  write(std::vector<std::byte>(zeros));
}

void OutputFile::sync() {
  flush();
  while (::fsync(descriptor_) != 0) {
    if (errno != EINTR) {
      fail("can't be synced to disk");
    }
  }
}

void OutputFile::finish() {
  sync();
  if (rename_new(part_, target_) != 0) {
    fail("can't get its name");
  }
  ::close(std::exchange(descriptor_, -1));
  sync_names(folder_of(target_));
}

}  // namespace gpqa
