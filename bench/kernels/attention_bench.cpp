// Attention's kernels: the keys and values of 512 positions, in the second cache.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/kernels/benches.h"
#include "bench/kernels/roof.h"
#include "runners/embedded/backend/cpu/kv_cache.h"

namespace gpqa_bench {
namespace {

using namespace gpqa;

constexpr std::size_t kDim = 256;
constexpr std::size_t kKeys = 512;
constexpr std::array<KvType, 3> kTypes = {KvType::f32, KvType::f16, KvType::q8_0};

// One head's, all of which are written.
struct Cache {
  Cache(const KvKernels& kernels, KvType type)
      : kv({.type = type, .slots = 1, .cells = kKeys, .kv_heads = 1, .head_dim = kDim}, memory) {
    std::vector<float> row(kDim, 0.5F);
    for (std::size_t at = 0; at < kKeys; ++at) {
      kernels.store_key(row.data(), kDim, kv.key_block(0, 0, at), kv.lane(at));
      kernels.store_value(row.data(), kDim, kv.value(0, 0, at), kv.value_stride());
    }
    for (std::size_t at = 0; at < kKeys; at += kKeyBlock) blocks.push_back(kv.key_block(0, 0, at));
  }
  HugePages memory;
  CpuKvCache kv;
  std::vector<const std::byte*> blocks;
};

template <class Float>
std::vector<Float*> rows_of(std::vector<float>& all, std::size_t width) {
  std::vector<Float*> rows;
  for (std::size_t at = 0; at < all.size(); at += width) rows.push_back(all.data() + at);
  return rows;
}

Work work_of(std::size_t queries, std::size_t type) {
  return {.products = static_cast<double>(queries * kDim * kKeys),
          .read = static_cast<double>(kv_bytes(kTypes.at(type), kDim * kKeys))};
}

void scores_bench(benchmark::State& state, const Kernels* kernels, std::size_t type) {
  const KvKernels& kv = kernels->kv.at(type);
  const Cache cache(kv, kTypes.at(type));
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<float> queries(count * kDim, 0.5F);
  std::vector<float> scores(count * kKeys);
  const auto query_rows = rows_of<const float>(queries, kDim);
  const auto score_rows = rows_of<float>(scores, kKeys);
  measure(state, *kernels, work_of(count, type), [&] {
    kv.scores(query_rows.data(), count, cache.blocks.data(), cache.blocks.size(), kDim, score_rows.data());
  });
}

void values_bench(benchmark::State& state, const Kernels* kernels, std::size_t type) {
  const KvKernels& kv = kernels->kv.at(type);
  const Cache cache(kv, kTypes.at(type));
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<float> weights(count * kKeys, 1.0F / kKeys);
  std::vector<float> sums(count * kDim);
  const auto weight_rows = rows_of<const float>(weights, kKeys);
  const auto sum_rows = rows_of<float>(sums, kDim);
  measure(state, *kernels, work_of(count, type), [&] {
    kv.add_values(weight_rows.data(), count, cache.kv.value(0, 0, 0), kKeys, cache.kv.value_stride(), kDim,
                  sum_rows.data());
  });
}

// A key and a value of each position.
void store_bench(benchmark::State& state, const Kernels* kernels, std::size_t type) {
  const KvKernels& kv = kernels->kv.at(type);
  const Cache cache(kv, kTypes.at(type));
  const std::vector<float> row(kDim, 0.5F);
  measure(state, *kernels, {.read = 2.0 * kKeys * kDim * sizeof(float)}, [&] {
    for (std::size_t at = 0; at < kKeys; ++at) {
      kv.store_key(row.data(), kDim, cache.kv.key_block(0, 0, at), cache.kv.lane(at));
      kv.store_value(row.data(), kDim, cache.kv.value(0, 0, at), cache.kv.value_stride());
    }
  });
}

}  // namespace

void register_attention(const Kernels& kernels) {
  for (std::size_t type = 0; type < kTypes.size(); ++type) {
    const auto name = [&](std::string_view what) {
      return std::string(kernels.name) + "/" + std::string(what) + "/" +
             std::string(kv_type_name(kTypes.at(type)));
    };
    // A group's heads of one token, and of a prompt's.
    for (auto* bench :
         {benchmark::RegisterBenchmark(name("scores").c_str(), scores_bench, &kernels, type),
          benchmark::RegisterBenchmark(name("add_values").c_str(), values_bench, &kernels, type)})
      bench->Arg(2)->Arg(8)->Arg(32);
    benchmark::RegisterBenchmark(name("store").c_str(), store_bench, &kernels, type);
  }
}

}  // namespace gpqa_bench
