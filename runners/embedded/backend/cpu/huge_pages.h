// Memory for what is large and read in long runs. In pages of two megabytes, which are a wish: with small
// ones a processor looks up every 64th line that it reads, which in a virtual machine can cost half of the
// speed.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace gpqa {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

constexpr std::size_t in_huge_pages(std::size_t bytes) {
  return (bytes + kHugePage - 1) / kHugePage * kHugePage;
}

void want_huge_pages(void* at, std::size_t bytes);

// Pieces one after the other in large chunks, so that small ones don't end in small pages.
class HugePages {
 public:
  // Zeros, from a multiple of 64 on. What nobody writes to costs nothing. A chunk is given back when the last
  // of its pieces is.
  std::shared_ptr<std::byte> take(std::size_t bytes);

 private:
  static constexpr std::size_t kChunk = 32 * kHugePage;
  std::shared_ptr<std::byte> chunk_;
  std::size_t used_ = 0, size_ = 0;  // of the chunk
};

template <class T>
struct HugeAllocator {
  using value_type = T;
  HugeAllocator() = default;
  template <class Other>
  HugeAllocator(const HugeAllocator<Other>&) {}
  T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    void* at = bytes < kHugePage ? std::aligned_alloc(64, (bytes + 63) / 64 * 64)
                                 : std::aligned_alloc(kHugePage, in_huge_pages(bytes));
    if (at == nullptr) throw std::bad_alloc();
    if (bytes >= kHugePage) want_huge_pages(at, in_huge_pages(bytes));
    return static_cast<T*>(at);
  }
  void deallocate(T* at, std::size_t) { std::free(at); }
  template <class Other>
  bool operator==(const HugeAllocator<Other>&) const {
    return true;
  }
};

template <class T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace gpqa
