// Pieces of work among threads, where no piece waits for another.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace gpqa {

// Calls work(0) to work(pieces - 1), each once, on up to `threads` threads; this one is among them. `work`
// doesn't throw.
template <class Work>
void share_work(std::size_t threads, std::size_t pieces, const Work& work) {
  std::atomic<std::size_t> next = 0;
  const auto some = [&] {
    for (std::size_t piece = next++; piece < pieces; piece = next++) {
      work(piece);
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < std::min(threads, pieces); ++i) {
    others.emplace_back(some);
  }
  some();
}

}  // namespace gpqa
