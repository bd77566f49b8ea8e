#include "scoring/binomial.h"

#include <cassert>
#include <cmath>
#include <numbers>

namespace gpqa {
namespace {

// log(n!) less Stirling's formula.
double stirling_error(std::int64_t n) {
  const auto x = static_cast<double>(n);
  if (n < 16) {
    double factorial = 1;
    for (std::int64_t i = 2; i <= n; ++i) {
      factorial *= static_cast<double>(i);
    }
    return std::log(factorial) - ((x + 0.5) * std::log(x) - x + 0.5 * std::log(2 * std::numbers::pi));
  }
  const double y = 1 / (x * x);
  return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - y / 1188) * y) * y) * y) / x;
}

}  // namespace

double binomial_pmf(std::int64_t k, std::int64_t n, double p) {
  assert(k >= 0 && k <= n && p > 0 && p < 1);
  const auto size = static_cast<double>(n);
  if (k == 0) {
    return std::exp(size * std::log1p(-p));
  }
  if (k == n) {
    return std::exp(size * std::log(p));
  }
  const auto in = static_cast<double>(k);
  const auto out = size - in;
  const double off = in - size * p;
  const double deviance = in * std::log1p(off / (size * p)) + out * std::log1p(-off / (size * (1 - p)));
  return std::exp(stirling_error(n) - stirling_error(k) - stirling_error(n - k) - deviance) *
         std::sqrt(size / (2 * std::numbers::pi * in * out));
}

}  // namespace gpqa
