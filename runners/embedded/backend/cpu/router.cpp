#include "runners/embedded/backend/cpu/router.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <vector>

namespace gpqa {
namespace {

// An expert's probability and its place among the others, as ThreadPool counts work.
constexpr std::size_t kChoice = 32;

}  // namespace

void cpu_route(const Kernels& kernels, ThreadPool& pool, CpuRouting& routing, Tensor logits,
               const CpuWeight& scales) {
  auto& chosen = routing.chosen;
  const std::size_t used = chosen.used;
  assert(logits.width == scales.width() && used <= logits.width);
  routing.tokens = logits.rows;
  chosen.experts.resize(logits.rows * used);
  chosen.shares.resize(logits.rows * used);
  chosen.weights.resize(logits.rows * used);
  const auto choose = [&](std::size_t t, std::size_t) {
    const auto row = row_of(logits, t);
    std::vector<float> p(row.begin(), row.end());
    kernels.softmax(p.data(), p.size());
    std::vector<std::int32_t> order(logits.width);
    std::iota(order.begin(), order.end(), 0);
    // By the logits: two that differ may have probabilities that don't.
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(used), order.end(),
                      [&](std::int32_t a, std::int32_t b) {
                        const float x = row[static_cast<std::size_t>(a)];
                        const float y = row[static_cast<std::size_t>(b)];
                        return x != y ? x > y : a < b;
                      });
    float total = 0;
    for (std::size_t j = 0; j < used; ++j) total += p[static_cast<std::size_t>(order[j])];
    for (std::size_t j = 0; j < used; ++j) {
      const auto expert = static_cast<std::size_t>(order[j]);
      const float share = p[expert] / total;
      chosen.experts[t * used + j] = order[j];
      chosen.shares[t * used + j] = share;
      chosen.weights[t * used + j] = share * scales.vector[expert];
    }
  };
  pool.run(logits.rows, choose, logits.rows * logits.width * kChoice);
  routing.places.resize(logits.width);
  for (auto& places : routing.places) places.clear();
  for (std::size_t place = 0; place < chosen.experts.size(); ++place)
    routing.places[static_cast<std::size_t>(chosen.experts[place])].push_back(place);
}

void cpu_combine(const Kernels& kernels, ThreadPool& pool, Tensor out, Tensor outs,
                 const CpuRouting& routing) {
  const std::size_t used = routing.chosen.used;
  assert(outs.rows == routing.tokens * used && out.rows == routing.tokens && out.width == outs.width);
  const auto add_up = [&](std::size_t t, std::size_t) {
    float* sum = row_of(out, t).data();
    std::fill_n(sum, out.width, 0.0F);
    for (std::size_t j = 0; j < used; ++j)
      kernels.add_scaled(sum, row_of(outs, t * used + j).data(), routing.chosen.weights[t * used + j],
                         out.width);
  };
  pool.run(out.rows, add_up, outs.rows * outs.width);
}

}  // namespace gpqa
