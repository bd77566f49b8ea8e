#include "scoring/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "scoring/binomial.h"

namespace gpqa {

Interval wilson_interval(std::int64_t k, std::int64_t n, double z) {
  assert(k >= 0 && k <= n);
  if (n == 0) {
    return {.low = 0, .high = 1};
  }
  const auto size = static_cast<double>(n);
  const double p = static_cast<double>(k) / size;
  const double centre = (p + z * z / (2 * size)) / (1 + z * z / size);
  const double half = z / (1 + z * z / size) * std::sqrt(p * (1 - p) / size + z * z / (4 * size * size));
  // Rounding must not exclude the estimate at the ends.
  return {.low = k == 0 ? 0 : centre - half, .high = k == n ? 1 : centre + half};
}

double mcnemar_exact(std::int64_t b, std::int64_t c) {
  const std::int64_t n = b + c;
  const std::int64_t k = std::min(b, c);
  if (n == 0 || b == c) {
    return 1;
  }
  // 2 P(X <= k), X ~ Binomial(n, 1/2): the largest term first, then each from the one above it.
  double term = binomial_pmf(k, n, 0.5);
  double sum = 0;
  for (std::int64_t i = k; i >= 0 && term > sum * 1e-18; --i) {
    sum += term;
    term *= static_cast<double>(i) / static_cast<double>(n - i + 1);
  }
  return std::min(1.0, 2 * sum);
}

double two_proportion_p(std::int64_t k1, std::int64_t n1, std::int64_t k2, std::int64_t n2) {
  if (n1 == 0 || n2 == 0) {
    return 1;
  }
  const auto m1 = static_cast<double>(n1);
  const auto m2 = static_cast<double>(n2);
  const double pooled = static_cast<double>(k1 + k2) / (m1 + m2);
  const double variance = pooled * (1 - pooled) * (1 / m1 + 1 / m2);
  if (variance <= 0) {
    return 1;
  }
  const double difference = static_cast<double>(k1) / m1 - static_cast<double>(k2) / m2;
  return std::erfc(std::abs(difference) / std::sqrt(2 * variance));
}

std::optional<std::int64_t> smallest_significant_net(std::int64_t discordant, double alpha) {
  for (std::int64_t net = discordant % 2; net <= discordant; net += 2) {
    if (mcnemar_exact((discordant - net) / 2, (discordant + net) / 2) < alpha) {
      return net;
    }
  }
  return std::nullopt;
}

std::optional<double> standard_error(std::span<const double> values) {
  if (values.size() < 2) {
    return std::nullopt;
  }
  const auto n = static_cast<double>(values.size());
  double mean = 0;
  for (const double value : values) {
    mean += value;
  }
  mean /= n;
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return std::sqrt(squares / (n - 1)) / std::sqrt(n);
}

}  // namespace gpqa
