// How far apart two models' predictions are.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace gpqa_test {

struct Compared {
  double mean_kl = 0;   // of the first from the second, in nats a position
  double same_top = 0;  // the share of positions whose most probable token is the same
};

// Logits [positions, vocabulary].
inline Compared compare_logits(const std::vector<float>& p, const std::vector<float>& q,
                               std::size_t vocabulary) {
  const std::size_t positions = p.size() / vocabulary;
  Compared result;
  for (std::size_t t = 0; t < positions; ++t) {
    const float* a = p.data() + t * vocabulary;
    const float* b = q.data() + t * vocabulary;
    const float* top_a = std::max_element(a, a + vocabulary);
    const float* top_b = std::max_element(b, b + vocabulary);
    double sum_a = 0;
    double sum_b = 0;
    for (std::size_t i = 0; i < vocabulary; ++i) {
      sum_a += std::exp(static_cast<double>(a[i]) - *top_a);
      sum_b += std::exp(static_cast<double>(b[i]) - *top_b);
    }
    for (std::size_t i = 0; i < vocabulary; ++i) {
      const double log_a = static_cast<double>(a[i]) - *top_a - std::log(sum_a);
      const double log_b = static_cast<double>(b[i]) - *top_b - std::log(sum_b);
      result.mean_kl += std::exp(log_a) * (log_a - log_b) / static_cast<double>(positions);
    }
    result.same_top += (top_a - a == top_b - b ? 1.0 : 0.0) / static_cast<double>(positions);
  }
  return result;
}

}  // namespace gpqa_test
