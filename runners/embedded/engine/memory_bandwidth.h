// How fast this machine's memory can be read: the bound of a decode step, and on shared machines no constant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runners/embedded/backend/cpu/huge_pages.h"
#include "runners/embedded/backend/cpu/thread_pool.h"

namespace gpqa {

class MemoryBandwidth {
 public:
  // Four times the processors' last-level caches, between 256 MiB and 2 GiB.
  static std::size_t enough_bytes();

  explicit MemoryBandwidth(std::size_t threads, std::size_t bytes = enough_bytes());

  // Bytes a second: all threads read the whole buffer, and the best of the passes counts.
  double measure(std::size_t passes = 5);

 private:
  ThreadPool pool_;
  HugeVector<std::uint64_t> numbers_;
  std::vector<std::uint64_t> sums_;  // of each thread: what was read must be used
};

}  // namespace gpqa
