// What attention is made of, on every instruction set: numbers are kept within their type's rounding, and
// multiplied as they are kept.
#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/kernels.h"
#include "tests/catch.h"

using namespace gpqa;

namespace {

constexpr std::size_t kDim = 64;
constexpr std::size_t kKeys = 304;       // more than many queries take at once
constexpr std::size_t kQueries = 15;     // 8 + 4 + 2 + 1
constexpr std::size_t kCell = kDim * 4;  // bytes: as many as float32 takes
constexpr double kUnit = 6e-8;           // half a unit of float32's last place, relative

std::vector<float> random_floats(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> all(count);
  for (float& x : all) x = normal(random);
  return all;
}

std::vector<float> unit_vector(std::size_t size, std::size_t at) {
  std::vector<float> all(size);
  all[at] = 1;
  return all;
}

template <class Row>
std::vector<Row*> rows_of(std::vector<Row>& all, std::size_t width) {
  std::vector<Row*> rows;
  rows.reserve(all.size() / width);
  for (std::size_t i = 0; i < all.size(); i += width) rows.push_back(all.data() + i);
  return rows;
}

// How far a number may be from what is kept of it. `type`: of Kernels::kv.
double rounding(std::size_t type, const float* block_of_32, double x) {
  if (type == 0) return 0;
  if (type == 1) return std::abs(x) / 2048 + 1e-7;
  double most = 0;
  for (std::size_t i = 0; i < 32; ++i) most = std::max(most, std::abs(static_cast<double>(block_of_32[i])));
  return most / 127 / 2 * 1.001 + std::abs(x) / 2048;  // the scale is a float16
}

void check_kept(std::size_t type, const std::vector<float>& all, const std::vector<float>& kept) {
  std::size_t bad = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!(std::abs(static_cast<double>(kept[i]) - all[i]) <= rounding(type, &all[i / 32 * 32], all[i])))
      ++bad;
  CHECK(bad == 0);
}

// [queries, keys] or [queries, dim]: sums of products over `count`, whose sizes say how they are rounded.
template <class Factor>
void check_sums(const std::vector<float>& got, std::size_t width, const std::vector<float>& queries,
                std::size_t count, const Factor& factor) {
  std::size_t bad = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    double sum = 0;
    double size = 0;
    for (std::size_t j = 0; j < count; ++j) {
      const double product = static_cast<double>(queries[i / width * count + j]) * factor(i % width, j);
      sum += product;
      size += std::abs(product);
    }
    if (!(std::abs(got[i] - sum) <= static_cast<double>(count) * kUnit * size)) ++bad;
  }
  CHECK(bad == 0);
}

}  // namespace

TEST_CASE("scores are the products of queries and of keys as they are kept") {
  const auto type = GENERATE(range(std::size_t{0}, std::size_t{3}));
  auto keys = random_floats(kKeys * kDim, 1);
  auto queries = random_floats(kQueries * kDim, 2);
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name << ", type " << type);
    const KvKernels& kv = kernels->kv.at(type);
    std::vector<std::byte> stored(kKeys * kCell);
    const auto blocks = rows_of(stored, 16 * kCell);
    for (std::size_t key = 0; key < kKeys; ++key)
      kv.store_key(&keys[key * kDim], kDim, blocks[key / 16], key % 16);
    const auto scores = [&](std::vector<float>& from) {
      std::vector<float> all(from.size() / kDim * kKeys);
      kv.scores(rows_of(from, kDim).data(), from.size() / kDim, blocks.data(), blocks.size(), kDim,
                rows_of(all, kKeys).data());
      return all;
    };
    std::vector<float> kept(kKeys * kDim);
    for (std::size_t d = 0; d < kDim; ++d) {
      auto unit = unit_vector(kDim, d);
      const auto column = scores(unit);
      for (std::size_t key = 0; key < kKeys; ++key) kept[key * kDim + d] = column[key];
    }
    check_kept(type, keys, kept);
    check_sums(scores(queries), kKeys, queries, kDim,
               [&](std::size_t key, std::size_t d) { return kept[key * kDim + d]; });
  }
}

TEST_CASE("values as they are kept are added up by their weights") {
  const auto type = GENERATE(range(std::size_t{0}, std::size_t{3}));
  auto values = random_floats(kKeys * kDim, 3);
  auto weights = random_floats(kQueries * kKeys, 4);
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name << ", type " << type);
    const KvKernels& kv = kernels->kv.at(type);
    const std::size_t part = kv_bytes(static_cast<KvType>(type), kValuePart);
    const std::size_t stride = kKeys * part;
    std::vector<std::byte> stored(kDim / kValuePart * stride);
    for (std::size_t key = 0; key < kKeys; ++key)
      kv.store_value(&values[key * kDim], kDim, &stored[key * part], stride);
    const auto sums = [&](std::vector<float>& by) {
      std::vector<float> all(by.size() / kKeys * kDim);
      kv.add_values(rows_of(by, kKeys).data(), by.size() / kKeys, stored.data(), kKeys, stride, kDim,
                    rows_of(all, kDim).data());
      return all;
    };
    std::vector<float> kept;
    for (std::size_t key = 0; key < kKeys; ++key) {
      auto unit = unit_vector(kKeys, key);
      const auto row = sums(unit);
      kept.insert(kept.end(), row.begin(), row.end());
    }
    check_kept(type, values, kept);
    check_sums(sums(weights), kDim, weights, kKeys,
               [&](std::size_t d, std::size_t key) { return kept[key * kDim + d]; });
  }
}
