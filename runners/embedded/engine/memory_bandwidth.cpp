#include "runners/embedded/engine/memory_bandwidth.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <string>
#include <system_error>

namespace gpqa {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 17;  // numbers that a thread reads on end: a MiB

// Asks for what comes next, as the matrix products do: some processors give more to who does.
std::uint64_t sum_of(const std::uint64_t* from, std::size_t count) {
  constexpr std::size_t kAhead = 256;  // numbers: 2 KiB
  constexpr std::size_t kLine = 8;
  std::uint64_t sums[kLine] = {};
  std::size_t i = 0;
  for (; i + kLine <= count; i += kLine) {
    __builtin_prefetch(from + i + kAhead);
    for (std::size_t j = 0; j < kLine; ++j) sums[j] += from[i + j];
  }
  return std::accumulate(from + i, from + count, std::accumulate(sums, sums + kLine, std::uint64_t{0}));
}

// Of all processors together, as the kernel tells it; 0 where it doesn't. (glibc's sysconf counts caches of
// the machine below a virtual one.)
std::size_t last_level_cache() {
  std::map<std::string, std::size_t> caches;  // by the processors that share one
  std::error_code error;
  for (const auto& cpu : std::filesystem::directory_iterator("/sys/devices/system/cpu", error)) {
    std::string shared;
    std::size_t kib = 0;
    std::ifstream(cpu.path() / "cache/index3/shared_cpu_list") >> shared;
    if (std::ifstream(cpu.path() / "cache/index3/size") >> kib) caches[shared] = kib * 1024;
  }
  std::size_t all = 0;
  for (const auto& [processors, bytes] : caches) all += bytes;
  return all;
}

}  // namespace

std::size_t MemoryBandwidth::enough_bytes() {
  return std::clamp(4 * last_level_cache(), std::size_t{256} << 20, std::size_t{2} << 30);
}

MemoryBandwidth::MemoryBandwidth(std::size_t threads, std::size_t bytes)
    : pool_(std::max<std::size_t>(threads, 1)),
      numbers_(bytes / sizeof(std::uint64_t)),
      sums_(pool_.threads()) {
  // Pages of zeros that nobody wrote may all be the same one.
  std::iota(numbers_.begin(), numbers_.end(), std::uint64_t{1});
}

double MemoryBandwidth::measure(std::size_t passes) {
  assert(passes > 0);
  double best = 0;
  for (std::size_t pass = 0; pass < passes; ++pass) {
    const auto begin = std::chrono::steady_clock::now();
    pool_.run((numbers_.size() + kPiece - 1) / kPiece, [&](std::size_t piece, std::size_t thread) {
      const std::uint64_t* from = numbers_.data() + piece * kPiece;
      sums_[thread] += sum_of(from, std::min(kPiece, numbers_.size() - piece * kPiece));
    });
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    best = std::max(best, static_cast<double>(numbers_.size() * sizeof(std::uint64_t)) / time.count());
  }
  return best;
}

}  // namespace gpqa
