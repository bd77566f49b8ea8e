#include "results/verdict.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace gpqa {
namespace {

constexpr double kAlpha = 0.05;
constexpr std::int64_t kFewest = 6;  // 2 * 0.5^5 > 0.05: fewer flips are never significant, even all one way

std::string p_text(double p) {
  return p < 0.0001 ? "p < 0.0001" : fmt::format("p = {:.2g}", p);
}

// "worse by 18.2 pp"
std::string size_of(double delta) {
  return fmt::format("{} by {:.1f} pp", delta < 0 ? "worse" : "better", 100 * std::abs(delta));
}

// The same with its interval, in the direction of the words: "worse by 18.2 pp (95% 13.1 to 23.7)".
std::string size_of(double delta, const Interval& interval) {
  const double sign = delta < 0 ? -1 : 1;
  const double a = 100 * sign * interval.low;
  const double b = 100 * sign * interval.high;
  return fmt::format("{} (95% {:.1f} to {:.1f})", size_of(delta), std::min(a, b), std::max(a, b));
}

std::string with_one_run(const PairedDifference& d) {
  const std::int64_t flips = d.right_to_wrong + d.wrong_to_right;
  const std::int64_t net = std::abs(d.wrong_to_right - d.right_to_wrong);
  if (flips == 0) {
    return fmt::format("right and wrong on the same questions, all {}", d.n);
  }
  if (*d.mcnemar_p < kAlpha) {
    return fmt::format("{}: {} net of {} flips at n={}, {}", size_of(d.delta, d.bootstrap), net, flips, d.n,
                       p_text(*d.mcnemar_p));
  }
  const auto needed = smallest_significant_net(flips);
  return fmt::format("not resolvable with one run at n={}: {} net of {} flip{} ({})", d.n, net, flips,
                     flips == 1 ? "" : "s",
                     needed ? fmt::format("at least {} net would be needed", *needed)
                            : fmt::format("fewer than {} can't tell anything", kFewest));
}

std::string with_repeats(const PairedDifference& d) {
  const std::string base = fmt::format("{} pairs over {} questions", d.n, d.questions);
  if (d.questions_moved == 0) {
    return "the same mean on every question: " + base;
  }
  // Too few questions that moved make a bootstrap too sure of itself.
  if (d.questions_moved < kFewest) {
    return fmt::format("not resolved: only {} question{} moved ({})", d.questions_moved,
                       d.questions_moved == 1 ? "" : "s", base);
  }
  if (d.bootstrap.low > 0 || d.bootstrap.high < 0) {
    return fmt::format("{}: {}", size_of(d.delta, d.bootstrap), base);
  }
  return fmt::format("not resolved: 95% {:+.1f} to {:+.1f} pp holds zero ({})", 100 * d.bootstrap.low,
                     100 * d.bootstrap.high, base);
}

}  // namespace

std::int64_t most_significant_flips(std::int64_t net, std::int64_t possible) {
  const auto significant = [&](std::int64_t pairs) {  // flips that cancel each other, beside the net
    return mcnemar_exact(pairs, pairs + net) < kAlpha;
  };
  if (net > possible || !significant(0)) {
    return 0;
  }
  std::int64_t yes = 0;
  std::int64_t no = (possible - net) / 2 + 1;
  while (no - yes > 1) {  // more pairs only make it less significant
    const std::int64_t middle = yes + (no - yes) / 2;
    (significant(middle) ? yes : no) = middle;
  }
  return net + 2 * yes;
}

std::string paired_verdict(const PairedDifference& difference) {
  if (difference.n == 0) {
    return "no trial in common that neither run failed in";
  }
  return difference.mcnemar_p ? with_one_run(difference) : with_repeats(difference);
}

std::string unpaired_verdict(const UnpairedDifference& difference, std::int64_t reference_correct,
                             std::int64_t variant_correct, std::int64_t n) {
  const std::int64_t net = std::abs(variant_correct - reference_correct);
  if (net == 0) {
    const double p = static_cast<double>(reference_correct) / static_cast<double>(n);
    const double half = 1.96 * std::sqrt(2 * p * (1 - p) / static_cast<double>(n));
    return fmt::format(
        "equal counts, which fit true differences of up to {:.1f} pp either way (95%, unpaired)", 100 * half);
  }
  if (difference.p < kAlpha) {
    return fmt::format("{} ({} unpaired)", size_of(difference.delta), p_text(difference.p));
  }
  // Both counts leave room for so many flips that cancel each other.
  const std::int64_t cancelling =
      std::min({reference_correct, variant_correct, n - reference_correct, n - variant_correct});
  const auto flips = most_significant_flips(net, net + 2 * cancelling);
  return fmt::format(
      "not resolvable from counts: {} unpaired; paired, net {} is {}", p_text(difference.p), net,
      flips > 0 ? fmt::format("significant only if at most {} questions flip", flips) : "never significant");
}

}  // namespace gpqa
