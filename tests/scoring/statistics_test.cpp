#include "scoring/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "scoring/binomial.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

// The figures in tables were printed with repr() by Python 3.11, scipy 1.17.1 and statsmodels 0.15.0, from
// the functions that the cases name. 1e-11 relative: the rounding of a sum of 10^3 terms on both sides, with
// room.
Approx near(double value) {
  return Approx(value).epsilon(1e-11).margin(1e-300);
}

TEST_CASE("Wilson intervals are statsmodels' proportion_confint(method='wilson')") {
  struct Row {
    std::int64_t k, n;
    double low, high;
  };
  for (const auto& [k, n, low, high] : {
           Row{149, 198, 0.6879909762144312, 0.8074473771559485},
           Row{142, 198, 0.6507690852282754, 0.7753078986702512},
           Row{113, 198, 0.5010629404922097, 0.6376597984514966},
           Row{0, 198, 0.0, 0.01903206032664819},
           Row{198, 198, 0.9809679396733518, 1.0},
           Row{1, 1, 0.2065493143772374, 1.0},
           Row{0, 1, 0.0, 0.7934506856227627},
           Row{50, 100, 0.4038315303659956, 0.5961684696340044},
           Row{99999, 200000, 0.4978037147889324, 0.5021862854031369},
       }) {
    INFO(k << " of " << n);
    const auto interval = wilson_interval(k, n);
    CHECK(interval.low == near(low));
    CHECK(interval.high == near(high));
  }
  CHECK(wilson_interval(0, 0).low == 0);
  CHECK(wilson_interval(0, 0).high == 1);
}

TEST_CASE("the binomial law is scipy.stats.binom.pmf, far out and for large counts too") {
  struct Row {
    std::int64_t k, n;
    double p, pmf;
  };
  for (const auto& [k, n, p, pmf] : {
           Row{0, 1, 0.5, 0.5000000000000001},
           Row{3, 10, 0.3, 0.2668279319999998},
           Row{15, 30, 0.5, 0.14446444809436781},
           Row{16, 16, 0.9, 0.18530201888518416},
           Row{0, 1000, 0.001, 0.3676954247709639},
           Row{300, 1000, 0.3, 0.027521003821268382},
           Row{499000, 1000000, 0.5, 0.00010798197801891438},
           Row{20100, 1000000, 0.02, 0.0022034864181712443},
       }) {
    INFO(k << " of " << n << " at " << p);
    CHECK(binomial_pmf(k, n, p) == near(pmf));
  }
  for (const std::int64_t n : {1, 2, 15, 16, 17, 198, 5000}) {
    double sum = 0;
    for (std::int64_t k = 0; k <= n; ++k) {
      sum += binomial_pmf(k, n, 0.37);
    }
    CHECK(sum == near(1));
  }
}

TEST_CASE("exact McNemar is scipy's two-sided binomial test") {
  struct Row {
    std::int64_t b, c;
    double p;
  };
  for (const auto& [b, c, p] : {
           Row{0, 1, 1.0},
           Row{0, 7, 0.015625},
           Row{1, 8, 0.0390625},
           Row{2, 9, 0.0654296875},
           Row{16, 23, 0.3367836351899315},
           Row{40, 47, 0.5202915935750733},
           Row{0, 60, 1.734723475976807e-18},
           Row{100, 180, 2.0145064960563766e-06},
           Row{500000, 499000, 0.317552599673747},
           Row{499000, 501500, 0.012476358035684523},
       }) {
    INFO(b << " and " << c);
    CHECK(mcnemar_exact(b, c) == near(p));
    CHECK(mcnemar_exact(c, b) == mcnemar_exact(b, c));
  }
}

TEST_CASE("a larger net of as many flips is less likely by chance") {
  for (const std::int64_t flips : {1, 2, 9, 40, 41, 1000}) {
    double before = 1;
    for (std::int64_t net = flips % 2; net <= flips; net += 2) {
      const double p = mcnemar_exact((flips - net) / 2, (flips + net) / 2);
      REQUIRE(p <= before);
      REQUIRE(p > 0);
      before = p;
    }
    CHECK(before == near(2 * std::pow(0.5, static_cast<double>(flips))));
  }
}

TEST_CASE("two proportions: statsmodels' pooled z test") {
  struct Row {
    std::int64_t k1, n1, k2, n2;
    double p;
  };
  for (const auto& [k1, n1, k2, n2, p] : {
           Row{149, 198, 142, 198, 0.42550840523599365},
           Row{149, 198, 113, 198, 0.0001316366223668039},
           Row{1, 10, 9, 10, 0.0003466193511346662},
           Row{100, 1000, 130, 1100, 0.1827046452581491},
       }) {
    CHECK(two_proportion_p(k1, n1, k2, n2) == near(p));
  }
  CHECK(two_proportion_p(0, 10, 0, 10) == 1);
  CHECK(two_proportion_p(5, 5, 0, 0) == 1);
}

TEST_CASE("the card's 7 net is significant if at most 9 questions flip") {
  CHECK(mcnemar_exact(1, 8) < 0.05);
  CHECK(mcnemar_exact(2, 9) > 0.05);
  CHECK(smallest_significant_net(9) == 7);
  CHECK(smallest_significant_net(11) == 9);
  CHECK_FALSE(smallest_significant_net(5).has_value());
  CHECK_FALSE(smallest_significant_net(0).has_value());
  for (std::int64_t d = 6; d < 400; ++d) {
    const auto net = smallest_significant_net(d).value();
    CHECK((d - net) % 2 == 0);
    CHECK(mcnemar_exact((d - net) / 2, (d + net) / 2) < 0.05);
    CHECK((net < 2 || mcnemar_exact((d - net + 2) / 2, (d + net - 2) / 2) >= 0.05));
  }
}

TEST_CASE("bootstrap: deterministic in its seed, and as wide as theory says") {
  std::vector<double> values(198, 0.0);
  std::fill_n(values.begin(), 23, -1.0);
  std::fill_n(values.begin() + 23, 16, 1.0);
  const auto a = bootstrap_mean_interval(values, 1);
  const auto b = bootstrap_mean_interval(values, 1);
  const auto other = bootstrap_mean_interval(values, 2);
  CHECK(a.low == b.low);
  CHECK(a.high == b.high);
  CHECK((a.low != other.low || a.high != other.high));
  const double mean = -7.0 / 198;
  // Normal theory; the percentile's own noise at 10,000 resamples is about 2% of the half width.
  const double half = 1.96 * standard_error(values).value();
  CHECK(a.low == Approx(mean - half).margin(0.08 * half));
  CHECK(a.high == Approx(mean + half).margin(0.08 * half));
}

TEST_CASE(
    "bootstrap of a ratio: that of the mean where all denominators are one, and of their law elsewhere") {
  std::vector<double> values(200);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 7);
  const std::vector<double> ones(values.size(), 1.0);
  const auto ratio = bootstrap_ratio_interval(values, ones, 5);
  const auto mean = bootstrap_mean_interval(values, 5);
  CHECK(ratio.low == Approx(mean.low).margin(0.05));
  CHECK(ratio.high == Approx(mean.high).margin(0.05));
  CHECK(ratio.low == bootstrap_ratio_interval(values, ones, 5).low);
  // Numerator and denominator of an item go together: a constant ratio has no spread.
  std::vector<double> twice(values);
  for (double& value : twice) value = 2 * (value + 1);
  std::vector<double> once(values);
  for (double& value : once) value += 1;
  CHECK(bootstrap_ratio_interval(twice, once, 1).low == Approx(2));
  CHECK(bootstrap_ratio_interval(twice, once, 1).high == Approx(2));
  CHECK(bootstrap_ratio_interval({}, {}, 1).high == 0);
}

TEST_CASE("bootstrap: counting values and drawing items are the same law") {
  std::vector<double> many(50000, 0.0);
  std::fill_n(many.begin(), 6000, -1.0);
  std::fill_n(many.begin() + 6000, 5000, 1.0);
  const auto interval = bootstrap_mean_interval(many, 3);
  const double mean = -1000.0 / 50000;
  const double half = 1.96 * standard_error(many).value();
  CHECK(interval.low == Approx(mean - half).margin(0.08 * half));
  CHECK(interval.high == Approx(mean + half).margin(0.08 * half));
}

TEST_CASE("bootstrap: of zeros and ones it is the binomial's own percentiles") {
  struct Row {
    std::size_t ones, n;
    double low, high;  // scipy.stats.binom.ppf([0.025, 0.975], n, ones / n)
  };
  for (const auto& [ones, n, low, high] :
       {Row{5, 10, 2, 8}, Row{300, 1000, 272, 329}, Row{2000, 100000, 1914, 2087}}) {
    std::vector<double> values(n, 0.0);
    std::fill_n(values.begin(), ones, 1.0);
    const auto size = static_cast<double>(n);
    // A percentile of 10,000 resamples has a standard error of 2.7% of the law's own spread; four of them,
    // and one count for its being discrete (none where the steps are coarser than that).
    const double spread = std::sqrt(static_cast<double>(ones) * (1 - static_cast<double>(ones) / size));
    const double noise = spread < 2 ? 0 : 1 + 4 * 0.027 * spread;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      const auto interval = bootstrap_mean_interval(values, seed);
      INFO(ones << " of " << n << ", seed " << seed);
      CHECK(size * interval.low == Approx(low).margin(noise + 1e-9));
      CHECK(size * interval.high == Approx(high).margin(noise + 1e-9));
    }
  }
}

TEST_CASE("bootstrap: no spread, no width") {
  const std::vector<double> same(50, 0.25);
  CHECK(bootstrap_mean_interval(same, 0).low == Approx(0.25));
  CHECK(bootstrap_mean_interval(same, 0).high == Approx(0.25));
  CHECK(bootstrap_mean_interval({}, 0).low == 0);
}

TEST_CASE("an interval holds its estimate and narrows with n") {
  for (std::int64_t n = 1; n < 300; n += 7) {
    for (std::int64_t k = 0; k <= n; ++k) {
      const auto interval = wilson_interval(k, n);
      const double p = static_cast<double>(k) / static_cast<double>(n);
      REQUIRE(interval.low <= p);
      REQUIRE(interval.high >= p);
      const auto wider = wilson_interval(10 * k, 10 * n);
      REQUIRE(wider.high - wider.low < interval.high - interval.low);
    }
  }
}

TEST_CASE("the standard error of a mean") {
  CHECK_FALSE(standard_error({}).has_value());
  CHECK_FALSE(standard_error(std::vector{1.0}).has_value());
  CHECK(standard_error(std::vector{1.0, 2.0, 3.0, 4.0}).value() == near(0.6454972243679028));
}

}  // namespace
}  // namespace gpqa
