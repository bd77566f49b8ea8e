#include "experts/compare_bytes.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "runners/model_files/mapped_file.h"

namespace gpqa {
namespace {

constexpr std::size_t kPiece = 4u << 20;

struct Piece {
  std::size_t pair;
  std::size_t begin;
  std::size_t size;
};

std::vector<Piece> pieces_of(std::span<const BytePair> pairs) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    for (std::size_t at = 0; at < pairs[i].a.size(); at += kPiece) {
      pieces.push_back({i, at, std::min(kPiece, pairs[i].a.size() - at)});
    }
  }
  return pieces;
}

class Comparison {
 public:
  explicit Comparison(std::span<const BytePair> pairs) : pairs_(pairs), pieces_(pieces_of(pairs)) {}

  // Compares the next piece; false if there is none.
  bool step() {
    const auto next = next_.fetch_add(1);
    if (next >= pieces_.size()) {
      return false;
    }
    const auto& piece = pieces_[next];
    const auto a = pairs_[piece.pair].a.subspan(piece.begin, piece.size);
    const auto b = pairs_[piece.pair].b.subspan(piece.begin, piece.size);
    load_pages(a);
    load_pages(b);
    if (std::memcmp(a.data(), b.data(), a.size()) != 0) {
      count_differences(piece, a, b);
    }
    drop_pages(a);
    drop_pages(b);
    done_ += a.size();
    return true;
  }
  void stop() { next_ = pieces_.size(); }
  std::uint64_t done() const { return done_; }
  std::vector<ByteDifference> differences() const {
    std::vector<ByteDifference> out;
    for (const auto& [pair, difference] : found_) {
      out.push_back(difference);
    }
    return out;
  }

 private:
  void count_differences(const Piece& piece, std::span<const std::byte> a, std::span<const std::byte> b) {
    ByteDifference difference{piece.pair, UINT64_MAX, 0};
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] != b[i]) {
        difference.first = std::min<std::uint64_t>(difference.first, piece.begin + i);
        ++difference.count;
      }
    }
    const std::lock_guard lock(mutex_);
    auto& sum = found_.try_emplace(piece.pair, ByteDifference{piece.pair, UINT64_MAX, 0}).first->second;
    sum.first = std::min(sum.first, difference.first);
    sum.count += difference.count;
  }

  std::span<const BytePair> pairs_;
  std::vector<Piece> pieces_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::uint64_t> done_ = 0;
  std::mutex mutex_;
  std::map<std::size_t, ByteDifference> found_;
};

}  // namespace

std::vector<ByteDifference> compare_bytes(std::span<const BytePair> pairs, std::size_t threads,
                                          const std::function<void(std::uint64_t)>& on_bytes) {
  Comparison comparison(pairs);
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < threads; ++i) {
      others.emplace_back([&] {
        while (comparison.step()) {
        }
      });
    }
    try {
      while (comparison.step()) {
        on_bytes(comparison.done());
      }
    } catch (...) {
      comparison.stop();
      throw;
    }
  }
  return comparison.differences();
}

}  // namespace gpqa
