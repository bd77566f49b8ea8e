// How fast all threads together read this machine's memory, in bytes a second: memory_speed THREADS
#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include "runners/embedded/engine/memory_bandwidth.h"

int main(int argc, char** argv) {
  const int threads = argc == 2 ? std::atoi(argv[1]) : 0;
  if (threads < 1) {
    std::fputs("usage: memory_speed THREADS\n", stderr);
    return 2;
  }
  std::printf("%.0f\n", gpqa::MemoryBandwidth(static_cast<std::size_t>(threads)).measure());
  return 0;
}
