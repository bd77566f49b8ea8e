// Memory in large chunks: every piece is its own, zero, and lives as long as it is held.
#include "runners/embedded/backend/cpu/huge_pages.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/catch.h"

using namespace gpqa;

namespace {

bool all_are(const std::shared_ptr<std::byte>& piece, std::size_t bytes, std::byte value) {
  return std::all_of(piece.get(), piece.get() + bytes, [&](std::byte b) { return b == value; });
}

}  // namespace

TEST_CASE("pieces of chunks are zero, aligned, and apart") {
  HugePages memory;
  const std::size_t sizes[] = {1, 100, kHugePage, 40 * kHugePage, 3 * kHugePage + 5, 30 * kHugePage, 7};
  std::vector<std::shared_ptr<std::byte>> pieces;
  for (const std::size_t size : sizes) {
    pieces.push_back(memory.take(size));
    CHECK(reinterpret_cast<std::uintptr_t>(pieces.back().get()) % 64 == 0);
    CHECK(all_are(pieces.back(), size, std::byte{0}));
    std::memset(pieces.back().get(), static_cast<int>(pieces.size()), size);
  }
  for (std::size_t i = 0; i < pieces.size(); ++i)
    CHECK(all_are(pieces[i], sizes[i], static_cast<std::byte>(i + 1)));
}

TEST_CASE("a piece outlives the memory that it was taken from") {
  std::shared_ptr<std::byte> piece;
  {
    HugePages memory;
    piece = memory.take(1000);
    memory.take(100 * kHugePage);
    std::memset(piece.get(), 9, 1000);
  }
  CHECK(all_are(piece, 1000, std::byte{9}));
}

TEST_CASE("vectors begin at a line, large ones at a huge page") {
  HugeVector<float> small(3, 1.5F);
  HugeVector<float> large(kHugePage / sizeof(float) + 1, 2.5F);
  CHECK(reinterpret_cast<std::uintptr_t>(small.data()) % 64 == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(large.data()) % kHugePage == 0);
  CHECK(std::count(large.begin(), large.end(), 2.5F) == static_cast<std::ptrdiff_t>(large.size()));
  small.resize(large.size(), 1.5F);
  CHECK(std::count(small.begin(), small.end(), 1.5F) == static_cast<std::ptrdiff_t>(small.size()));
}
