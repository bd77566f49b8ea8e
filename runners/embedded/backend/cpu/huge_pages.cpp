#include "runners/embedded/backend/cpu/huge_pages.h"

#include <algorithm>
#include <cstdint>
#include <sys/mman.h>

namespace gpqa {

void want_huge_pages(void* at, std::size_t bytes) {
  madvise(at, bytes, MADV_HUGEPAGE);
}

std::shared_ptr<std::byte> HugePages::take(std::size_t bytes) {
  constexpr std::size_t kLine = 64;
  const std::size_t lines = (bytes + kLine - 1) / kLine * kLine;
  if (chunk_ == nullptr || size_ - used_ < lines) {
    size_ = std::max(kChunk, in_huge_pages(lines));
    const std::size_t room = size_ + kHugePage;  // to begin at a multiple
    void* at = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    const std::shared_ptr<std::byte> all(static_cast<std::byte*>(at),
                                         [room](std::byte* begin) { munmap(begin, room); });
    const std::size_t off = reinterpret_cast<std::uintptr_t>(at) % kHugePage;
    chunk_ = std::shared_ptr<std::byte>(all, all.get() + (off == 0 ? 0 : kHugePage - off));
    want_huge_pages(chunk_.get(), size_);
    used_ = 0;
  }
  std::byte* piece = chunk_.get() + used_;
  used_ += lines;
  return std::shared_ptr<std::byte>(chunk_, piece);
}

}  // namespace gpqa
