// What counts alone, paired counts, and repeats can say about a difference.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace gpqa {

struct Interval {
  double low = 0;
  double high = 0;
};

// Wilson score interval of k successes in n (n = 0: [0, 1]). z = 1.959963984540054 is 95%.
Interval wilson_interval(std::int64_t k, std::int64_t n, double z = 1.959963984540054);

// Exact two-sided McNemar test: b and c are the discordant counts. p = 1 for b + c = 0.
double mcnemar_exact(std::int64_t b, std::int64_t c);

// Two-sided p of the difference of two independent proportions (pooled z test).
double two_proportion_p(std::int64_t k1, std::int64_t n1, std::int64_t k2, std::int64_t n2);

// Smallest net flips that an exact McNemar test calls significant at `alpha` when `discordant` questions
// flip. nullopt: no net can.
std::optional<std::int64_t> smallest_significant_net(std::int64_t discordant, double alpha = 0.05);

// Percentile interval of the mean of `differences` (one per question) under resampling of questions.
// Deterministic in `seed`. Many items with few distinct values are resampled by counting values.
Interval bootstrap_mean_interval(std::span<const double> differences, std::uint64_t seed,
                                 int resamples = 10000, double level = 0.95);

// The same of sum(numerators) / sum(denominators), where both of an item are drawn together: a mean a token
// over texts of different lengths. Denominators are positive.
Interval bootstrap_ratio_interval(std::span<const double> numerators, std::span<const double> denominators,
                                  std::uint64_t seed, int resamples = 10000, double level = 0.95);

// lm-eval's stderr of a mean: sqrt(sum (x - mean)^2 / (n - 1)) / sqrt(n); nullopt for n < 2.
std::optional<double> standard_error(std::span<const double> values);

}  // namespace gpqa
