// Dot products of all pairs of rows, in blocks that stay in the caches.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace gpqa {

// Columns are summed in float32 over so many, then in float64.
inline constexpr std::size_t kGramColumns = 2048;

// gram[i * rows + j] += sum_k a[i * columns + k] * a[j * columns + k] for j <= i; the rest stays as it is.
// a: [rows, columns]; columns is a multiple of 8. Shared among `threads`.
void add_gram(std::span<const float> a, std::size_t rows, std::size_t columns, std::span<double> gram,
              std::size_t threads);

}  // namespace gpqa
