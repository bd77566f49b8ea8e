#include "results/verdict.h"

#include <cmath>

#include <fmt/format.h>

namespace gpqa {
namespace {

constexpr double kAlpha = 0.05;

std::string better_or_worse(double delta) {
  return delta < 0 ? "worse" : "better";
}

std::string points(double fraction) {
  return fmt::format("{:.1f}", 100 * fraction);
}

// The most questions that can flip for a net of `net` to be significant; 0: none can.
std::int64_t most_flips(std::int64_t net) {
  std::int64_t most = 0;
  for (std::int64_t flips = net; mcnemar_exact((flips - net) / 2, (flips + net) / 2) < kAlpha; flips += 2) {
    most = flips;
  }
  return most;
}

std::string with_one_run(const PairedDifference& d) {
  const std::int64_t flips = d.right_to_wrong + d.wrong_to_right;
  const std::int64_t net = std::abs(d.wrong_to_right - d.right_to_wrong);
  if (flips == 0) {
    return fmt::format("right and wrong on the same questions, all {}", d.n);
  }
  if (*d.mcnemar_p < kAlpha) {
    return fmt::format("{} by {} pp: {} net of {} flips at n={} (p = {:.2g})", better_or_worse(d.delta),
                       points(std::abs(d.delta)), net, flips, d.n, *d.mcnemar_p);
  }
  const auto needed = smallest_significant_net(flips);
  return fmt::format("not resolvable with one run at n={}: {} net of {} flips ({})", d.n, net, flips,
                     needed ? fmt::format("{} net would be needed", *needed) : "too few to tell anything");
}

std::string with_repeats(const PairedDifference& d, std::int64_t repeats) {
  const std::string interval =
      fmt::format("{:+.1f} to {:+.1f} pp, {} questions x {} repeats", 100 * d.bootstrap.low,
                  100 * d.bootstrap.high, d.questions, repeats);
  if (d.bootstrap.low > 0 || d.bootstrap.high < 0) {
    return fmt::format("{} by {} pp ({})", better_or_worse(d.delta), points(std::abs(d.delta)), interval);
  }
  return fmt::format("not resolved: the interval holds zero ({})", interval);
}

}  // namespace

std::string paired_verdict(const PairedDifference& difference, std::int64_t repeats) {
  if (difference.n == 0) {
    return "no trial in common that neither run failed in";
  }
  return difference.mcnemar_p ? with_one_run(difference) : with_repeats(difference, repeats);
}

std::string unpaired_verdict(const UnpairedDifference& difference, std::int64_t reference_correct,
                             std::int64_t variant_correct, std::int64_t n) {
  const std::int64_t net = std::abs(variant_correct - reference_correct);
  if (net == 0) {
    return fmt::format(
        "equal counts: a difference of up to {} pp either way would not show at n={}",
        points(1.96 * std::sqrt(2 * (static_cast<double>(reference_correct) / static_cast<double>(n)) *
                                (1 - static_cast<double>(reference_correct) / static_cast<double>(n)) /
                                static_cast<double>(n))),
        n);
  }
  if (difference.p < kAlpha) {
    return fmt::format("{} by {} pp (unpaired p = {:.2g})", better_or_worse(difference.delta),
                       points(std::abs(difference.delta)), difference.p);
  }
  const auto flips = most_flips(net);
  return fmt::format(
      "counts alone can't tell (unpaired p = {:.2g}); paired, a net of {} is significant only if {}",
      difference.p, net, flips > 0 ? fmt::format("at most {} questions flip", flips) : "never");
}

}  // namespace gpqa
