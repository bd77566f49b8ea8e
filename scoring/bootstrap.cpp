#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "prompts/split_mix.h"
#include "scoring/binomial.h"
#include "scoring/statistics.h"

namespace gpqa {
namespace {

class SplitMix {
 public:
  explicit SplitMix(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    const std::uint64_t now = state_;
    state_ += kSplitMixStep;
    return split_mix(now);
  }
  // Uniform in [0, n) by the multiply-shift of Lemire 2019; its bias is below n / 2^64.
  std::size_t below(std::size_t n) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::size_t>((static_cast<Wide>(next()) * n) >> 64);
  }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // in [0, 1)

 private:
  std::uint64_t state_;
};

// Draws from Binomial(n, p), 0 < p < 1, by inversion outward from the mode: about a standard deviation of
// steps. std::binomial_distribution would give other numbers with every standard library.
std::int64_t draw_binomial(std::int64_t n, double p, SplitMix& random) {
  const auto mode = std::min(n, static_cast<std::int64_t>(static_cast<double>(n + 1) * p));
  const double odds = p / (1 - p);
  double up = binomial_pmf(mode, n, p);
  double down = up;
  double left = random.uniform() - up;
  std::int64_t high = mode;
  std::int64_t low = mode;
  while (left >= 0) {
    up = high < n ? up * odds * static_cast<double>(n - high) / static_cast<double>(high + 1) : 0;
    left -= up;
    if (left < 0) {
      return high + 1;
    }
    ++high;
    down = low > 0 ? down * static_cast<double>(low) / (odds * static_cast<double>(n - low + 1)) : 0;
    left -= down;
    if (left < 0) {
      return low - 1;
    }
    --low;
    if (up + down < 1e-300) {
      break;  // what rounding left over: about 1e-13 of all draws
    }
  }
  return mode;
}

struct Value {
  double value;
  std::int64_t count;  // of items that have it
};

// One resampled sum by drawing how often each distinct value comes up: the same law as drawing items, at the
// cost of the number of values instead of the number of items.
double resampled_sum(const std::vector<Value>& values, std::int64_t n, SplitMix& random) {
  double sum = 0;
  std::int64_t draws_left = n;
  std::int64_t items_left = n;
  for (const auto& [value, count] : values) {
    if (draws_left == 0) {
      break;
    }
    const auto drawn =
        count == items_left
            ? draws_left
            : draw_binomial(draws_left, static_cast<double>(count) / static_cast<double>(items_left), random);
    sum += value * static_cast<double>(drawn);
    draws_left -= drawn;
    items_left -= count;
  }
  return sum;
}

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Interval bootstrap_mean_interval(std::span<const double> differences, std::uint64_t seed, int resamples,
                                 double level) {
  if (differences.empty()) {
    return {};
  }
  std::map<double, std::int64_t> counts;
  for (const double difference : differences) {
    ++counts[difference];
  }
  std::vector<Value> values;
  values.reserve(counts.size());
  for (const auto& [value, count] : counts) {
    values.push_back({value, count});
  }
  constexpr std::size_t kItemsPerDraw = 100;  // a binomial draw costs about as much as this many items
  const auto n = differences.size();
  const bool by_value = values.size() * kItemsPerDraw < n;

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

Interval bootstrap_ratio_interval(std::span<const double> numerators, std::span<const double> denominators,
                                  std::uint64_t seed, int resamples, double level) {
  const auto n = std::min(numerators.size(), denominators.size());
  if (n == 0) {
    return {};
  }
  SplitMix random(seed);
  std::vector<double> ratios(static_cast<std::size_t>(std::max(resamples, 1)));
  for (double& ratio : ratios) {
    double numerator = 0;
    double denominator = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto drawn = random.below(n);
      numerator += numerators[drawn];
      denominator += denominators[drawn];
    }
    ratio = numerator / denominator;
  }
  std::sort(ratios.begin(), ratios.end());
  return {.low = quantile(ratios, (1 - level) / 2), .high = quantile(ratios, (1 + level) / 2)};
}

}  // namespace gpqa
