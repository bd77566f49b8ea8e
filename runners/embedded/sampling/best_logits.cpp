#include "runners/embedded/sampling/best_logits.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <functional>

namespace gpqa {
namespace {

constexpr std::size_t kMostByHeap = 128;  // above, llama-server sorts by buckets
constexpr int kBuckets = 128;
constexpr float kLow = -10;  // of the buckets' range
constexpr float kHigh = 10;
constexpr float kScale = kBuckets / (kHigh - kLow);

bool higher(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit;
}

// llama-server drops logits above 3.3e8 into the lowest bucket, as the conversion overflows, and doesn't sort
// them then. Only a temperature near 0 makes such; here they are sorted.
std::size_t bucket_of(float logit) {
  const float place = std::clamp(kScale * logit + -kLow * kScale, 0.0f, static_cast<float>(kBuckets - 1));
  return static_cast<std::size_t>(place);
}

// std::partial_sort keeps a heap of the k best so far and looks at each later element once: one that isn't
// higher than the heap's least changes nothing. So what can't be higher may be left out beforehand, and the
// result is the same, ties included. Some thousand of 262,144 logits are left.
void best_by_heap(std::span<const float> logits, std::size_t k, std::vector<Candidate>& best) {
  constexpr std::size_t kBlock = 64;
  best.clear();
  std::vector<float> highest;  // the k highest of those let in, and some more
  highest.reserve(2 * k);
  const auto let_in = [&](std::size_t i) {
    best.push_back({.id = static_cast<int>(i), .logit = logits[i], .p = 0});
    highest.push_back(logits[i]);
  };
  for (std::size_t i = 0; i < k; ++i) let_in(i);
  float least = *std::min_element(highest.begin(), highest.end());  // a bound of the heap's least from below
  for (std::size_t begin = k; begin < logits.size(); begin += kBlock) {
    const auto block = logits.subspan(begin, std::min(kBlock, logits.size() - begin));
    unsigned any = 0;
    for (const float logit : block) any |= static_cast<unsigned>(logit > least);
    if (any == 0) continue;
    for (std::size_t i = 0; i < block.size(); ++i) {
      if (!(block[i] > least)) continue;
      let_in(begin + i);
      if (highest.size() == 2 * k) {
        const auto kth = highest.begin() + static_cast<std::ptrdiff_t>(k - 1);
        std::nth_element(highest.begin(), kth, highest.end(), std::greater<>());
        least = *kth;
        highest.resize(k);
      }
    }
  }
  std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(k), best.end(), higher);
  best.resize(k);
}

// The elements of the highest buckets that hold k, bucket by bucket, each in the order they came in; the last
// bucket is sorted only as far as needed. element(i): the i-th of n.
template <class Element>
void by_buckets(std::size_t n, std::size_t k, std::vector<Candidate>& best, std::vector<std::uint8_t>& bucket,
                Element element) {
  bucket.resize(n);
  std::array<std::size_t, kBuckets> count{};
  for (std::size_t i = 0; i < n; ++i) {
    bucket[i] = static_cast<std::uint8_t>(bucket_of(element(i).logit));
    ++count[bucket[i]];
  }
  std::size_t last = kBuckets;
  std::size_t have = 0;
  while (last > 0 && have < k) {
    have += count[--last];
  }
  best.resize(have);
  if (have == 0) return;
  std::array<std::size_t, kBuckets> next{};
  std::array<std::size_t, kBuckets> begin{};
  for (std::size_t b = kBuckets, place = 0; b-- > last;) {
    begin[b] = next[b] = place;
    place += count[b];
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (bucket[i] >= last) best[next[bucket[i]]++] = element(i);
  }
  const auto at = [&](std::size_t place) { return best.begin() + static_cast<std::ptrdiff_t>(place); };
  for (std::size_t b = kBuckets; --b > last;) {
    std::sort(at(begin[b]), at(begin[b] + count[b]), higher);
  }
  std::partial_sort(at(begin[last]), at(k), best.end(), higher);
}

}  // namespace

void best_of_logits(std::span<const float> logits, std::size_t k, std::vector<Candidate>& best,
                    SortScratch& scratch) {
  assert(k <= logits.size());
  if (k == 0) {
    best.clear();
  } else if (k <= kMostByHeap) {
    best_by_heap(logits, k, best);
  } else {
    by_buckets(logits.size(), k, best, scratch.bucket, [&](std::size_t i) {
      return Candidate{.id = static_cast<int>(i), .logit = logits[i], .p = 0};
    });
    best.resize(k);
  }
}

void best_in_place(std::span<Candidate> list, std::size_t k, SortScratch& scratch) {
  assert(k <= list.size());
  if (k <= kMostByHeap) {
    std::partial_sort(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(k), list.end(), higher);
  } else {
    best_by_buckets(list, k, scratch);
    std::copy(scratch.sorted.begin(), scratch.sorted.begin() + static_cast<std::ptrdiff_t>(k), list.begin());
  }
}

void best_by_buckets(std::span<const Candidate> list, std::size_t k, SortScratch& scratch) {
  assert(k <= list.size());
  by_buckets(list.size(), k, scratch.sorted, scratch.bucket, [&](std::size_t i) { return list[i]; });
}

}  // namespace gpqa
