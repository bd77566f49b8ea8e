#include "runners/model_files/mapped_file.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info {};
  if (fd < 0 || fstat(fd, &info) != 0) {
    const int why = errno;
    if (fd >= 0) {
      close(fd);
    }
    throw InputError(fmt::format("{}: {}", path.string(), std::strerror(why)));
  }
  if (!S_ISREG(info.st_mode) || info.st_size == 0) {
    close(fd);
    throw InputError(
        fmt::format("{}: {}", path.string(), S_ISREG(info.st_mode) ? "the file is empty" : "not a file"));
  }
  size_ = static_cast<std::size_t>(info.st_size);
  // Zeros first, then the file over all but their end.
  mapped_ = size_ + kPadding;
  void* mapped = mmap(nullptr, mapped_, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  const bool whole =
      mapped != MAP_FAILED && mmap(mapped, size_, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED;
  const int why = errno;
  close(fd);
  if (!whole) {
    if (mapped != MAP_FAILED) {
      munmap(mapped, mapped_);
    }
    throw InputError(fmt::format("{}: can't be mapped: {}", path.string(), std::strerror(why)));
  }
  data_ = static_cast<const std::byte*>(mapped);
}

MappedFile::~MappedFile() {
  munmap(const_cast<std::byte*>(data_), mapped_);
}

namespace {

std::size_t page_bytes() {
  return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}
// How far into its page a byte lies.
std::size_t place_in_page(const std::byte* at) {
  return reinterpret_cast<std::uintptr_t>(at) % page_bytes();
}

}  // namespace

void load_pages([[maybe_unused]] std::span<const std::byte> part) {
#ifdef MADV_POPULATE_READ
  // Linux 5.14; before, the pages come as they are touched.
  const std::size_t before = place_in_page(part.data());
  madvise(const_cast<std::byte*>(part.data()) - before, before + part.size(), MADV_POPULATE_READ);
#endif
}

void drop_pages(std::span<const std::byte> part) {
  const std::size_t page = page_bytes();
  const std::size_t skipped = (page - place_in_page(part.data())) % page;
  if (part.size() < skipped + page) return;
  // A hint: memory that can't be given back now is given back under pressure.
  madvise(const_cast<std::byte*>(part.data()) + skipped, (part.size() - skipped) / page * page,
          MADV_DONTNEED);
}

}  // namespace gpqa
