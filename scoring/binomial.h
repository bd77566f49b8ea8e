// The binomial law, accurate for large counts.
#pragma once

#include <cstdint>

namespace gpqa {

// P(X = k) for X ~ Binomial(n, p), 0 <= k <= n, 0 < p < 1: Loader's saddle-point form (2000), whose terms
// don't cancel as factorials do.
double binomial_pmf(std::int64_t k, std::int64_t n, double p);

}  // namespace gpqa
