#include "experts/gram.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "experts/share_work.h"

namespace gpqa {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kRowsA = 4;
constexpr std::size_t kRowsB = 2;
// NOLINTNEXTLINE(modernize-use-using): the attribute belongs to a typedef
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

struct Tile {
  float dots[kRowsA][kRowsB];
};

// 4 rows against 2, eight columns at a time.
[[gnu::always_inline]] inline void tile_of(const float* const (&a)[kRowsA], const float* const (&b)[kRowsB],
                                           std::size_t columns, Tile& tile) {
  Lanes sums[kRowsA][kRowsB] = {};
  for (std::size_t k = 0; k < columns; k += kLanes) {
    Lanes right[kRowsB];
    for (std::size_t j = 0; j < kRowsB; ++j) {
      std::memcpy(&right[j], b[j] + k, sizeof(Lanes));
    }
    for (std::size_t i = 0; i < kRowsA; ++i) {
      Lanes left;
      std::memcpy(&left, a[i] + k, sizeof(Lanes));
      for (std::size_t j = 0; j < kRowsB; ++j) {
        sums[i][j] += left * right[j];
      }
    }
  }
  for (std::size_t i = 0; i < kRowsA; ++i) {
    for (std::size_t j = 0; j < kRowsB; ++j) {
      float sum = 0;
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        sum += sums[i][j][lane];
      }
      tile.dots[i][j] = sum;
    }
  }
}

using TileFunction = void (*)(const float* const (&)[kRowsA], const float* const (&)[kRowsB], std::size_t,
                              Tile&);

void tile_portable(const float* const (&a)[kRowsA], const float* const (&b)[kRowsB], std::size_t columns,
                   Tile& tile) {
  tile_of(a, b, columns, tile);
}

#ifdef __x86_64__
[[gnu::target("avx2,fma")]] void tile_avx2(const float* const (&a)[kRowsA], const float* const (&b)[kRowsB],
                                           std::size_t columns, Tile& tile) {
  tile_of(a, b, columns, tile);
}
#endif

TileFunction best_tile() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return tile_avx2;
  }
#endif
  return tile_portable;
}

struct Job {
  std::span<const float> a;
  std::size_t rows;
  std::size_t columns;
  std::span<double> gram;
  TileFunction tile;

  // Four rows against all up to them. Beyond the last row stands the last one again, and is left out.
  void rows_from(std::size_t first) const {
    const float* left[kRowsA];
    const float* right[kRowsB];
    for (std::size_t start = 0; start < columns; start += kGramColumns) {
      const auto width = std::min(kGramColumns, columns - start);
      const auto row = [&](std::size_t index) {
        return a.data() + std::min(index, rows - 1) * columns + start;
      };
      for (std::size_t i = 0; i < kRowsA; ++i) {
        left[i] = row(first + i);
      }
      for (std::size_t other = 0; other < std::min(first + kRowsA, rows); other += kRowsB) {
        for (std::size_t j = 0; j < kRowsB; ++j) {
          right[j] = row(other + j);
        }
        Tile result;
        tile(left, right, width, result);
        add(result, first, other);
      }
    }
  }

  void add(const Tile& result, std::size_t first, std::size_t other) const {
    for (std::size_t i = 0; i < kRowsA && first + i < rows; ++i) {
      for (std::size_t j = 0; j < kRowsB && other + j <= first + i; ++j) {
        gram[(first + i) * rows + other + j] += static_cast<double>(result.dots[i][j]);
      }
    }
  }
};

}  // namespace

void add_gram(std::span<const float> a, std::size_t rows, std::size_t columns, std::span<double> gram,
              std::size_t threads) {
  assert(a.size() == rows * columns && gram.size() == rows * rows && columns % kLanes == 0);
  if (rows == 0) {
    return;
  }
  const Job job{a, rows, columns, gram, best_tile()};
  // Each element is written by whoever has its row: no order of threads changes a sum. The long rows first.
  const std::size_t pieces = (rows + kRowsA - 1) / kRowsA;
  share_work(threads, pieces, [&](std::size_t piece) { job.rows_from((pieces - 1 - piece) * kRowsA); });
}

}  // namespace gpqa
