#include "scoring/statistics.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <map>
#include <numbers>
#include <random>

namespace gpqa {
namespace {

// SplitMix64 (Steele et al. 2014): small, and the same everywhere.
class SplitMix {
 public:
  using result_type = std::uint64_t;
  explicit SplitMix(std::uint64_t seed) : state_(seed) {}
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // Uniform in [0, n) by the multiply-shift of Lemire 2019; its bias is below n / 2^64.
  std::size_t below(std::size_t n) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::size_t>((static_cast<Wide>((*this)()) * n) >> 64);
  }

 private:
  std::uint64_t state_;
};

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// One resampled sum by drawing how often each distinct value comes up: the same law as drawing items, at the
// cost of the number of values instead of the number of items.
double resampled_sum(const std::vector<std::pair<double, std::int64_t>>& values, std::int64_t n,
                     SplitMix& random) {
  double sum = 0;
  std::int64_t draws_left = n;
  std::int64_t items_left = n;
  for (const auto& [value, count] : values) {
    if (draws_left == 0) {
      break;
    }
    const double share = static_cast<double>(count) / static_cast<double>(items_left);
    const auto drawn =
        share >= 1 ? draws_left : std::binomial_distribution<std::int64_t>(draws_left, share)(random);
    sum += value * static_cast<double>(drawn);
    draws_left -= drawn;
    items_left -= count;
  }
  return sum;
}

}  // namespace

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
  const auto log_factorial = [](std::int64_t m) { return std::lgamma(static_cast<double>(m) + 1); };
  double term = std::exp(log_factorial(n) - log_factorial(k) - log_factorial(n - k) -
                         static_cast<double>(n) * std::numbers::ln2);
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

Interval bootstrap_mean_interval(std::span<const double> differences, std::uint64_t seed, int resamples,
                                 double level) {
  if (differences.empty()) {
    return {};
  }
  constexpr std::size_t kManyItems = 2000;
  constexpr std::size_t kFewValues = 64;
  std::map<double, std::int64_t> counts;
  for (const double difference : differences) {
    ++counts[difference];
  }
  const std::vector<std::pair<double, std::int64_t>> values(counts.begin(), counts.end());
  const bool by_value = differences.size() > kManyItems && values.size() <= kFewValues;

  const auto n = differences.size();
  SplitMix random(seed);
  std::vector<double> means(static_cast<std::size_t>(std::max(resamples, 1)));
  for (double& mean : means) {
    double sum = 0;
    if (by_value) {
      sum = resampled_sum(values, static_cast<std::int64_t>(n), random);
    } else {
      for (std::size_t i = 0; i < n; ++i) {
        sum += differences[random.below(n)];
      }
    }
    mean = sum / static_cast<double>(n);
  }
  std::sort(means.begin(), means.end());
  return {.low = quantile(means, (1 - level) / 2), .high = quantile(means, (1 + level) / 2)};
}

std::optional<double> standard_error(std::span<const double> values) {
  if (values.size() < 2) {
    return std::nullopt;
  }
  const auto n = static_cast<double>(values.size());
  double mean = 0;
  for (const double value : values) {
    mean += value / n;
  }
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  return std::sqrt(squares / (n - 1)) / std::sqrt(n);
}

}  // namespace gpqa
