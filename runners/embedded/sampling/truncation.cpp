#include "runners/embedded/sampling/truncation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace gpqa {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Above this many unsorted candidates, top-p first sorts the best 256 only.
constexpr std::size_t kManyUnsorted = 1024;
constexpr std::size_t kProbablyEnough = 256;

}  // namespace

void TopNSigma::apply(Candidates& candidates) const {
  if (candidates.size() <= 1) return;
  float highest = -kInfinity;
  float sum = 0;
  std::size_t finite = 0;
  candidates.each_logit([&](float logit) {
    if (logit == -kInfinity) return;
    highest = std::max(highest, logit);
    sum += logit;
    ++finite;
  });
  if (finite == 0) return;
  const float mean = sum / static_cast<float>(finite);
  float squares = 0;
  candidates.each_logit([&](float logit) {
    if (logit == -kInfinity) return;
    const double difference = static_cast<double>(logit - mean);
    squares = static_cast<float>(static_cast<double>(squares) + difference * difference);
  });
  const float deviation = std::sqrt(squares / static_cast<float>(finite));
  const float least = highest - n * deviation;
  candidates.change_each("top_n_sigma", [least](float logit) { return logit < least ? -kInfinity : logit; });
}

void Typical::apply(Candidates& candidates) const {
  softmax(candidates, true);
  const auto list = candidates.list();
  float entropy = 0;
  for (const auto& candidate : list) {
    entropy += -candidate.p * std::log(candidate.p);
  }
  // A candidate of probability 0 makes the entropy NaN, and no score is then less than another: which ones
  // stay is up to std::sort, there as here. What is chosen among them is still chosen by p.
  std::vector<float> score(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    score[i] = std::fabs(-std::log(list[i].p) - entropy);
  }
  std::vector<std::size_t> order(list.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return score[a] < score[b]; });

  std::vector<Candidate> kept;
  float sum = 0;
  for (const std::size_t i : order) {
    kept.push_back(list[i]);
    sum += list[i].p;
    if (sum > p && kept.size() >= min_keep) break;
  }
  candidates.replace(kept, false);
}

void TopP::apply(Candidates& candidates) const {
  softmax(candidates, false);
  const auto list = candidates.list();
  const bool in_place = candidates.sorted() || list.size() <= kManyUnsorted;
  if (in_place) candidates.keep_best(list.size());
  // Of many unsorted ones a part is sorted, and all of them only if that isn't enough.
  auto best = in_place ? std::span<const Candidate>(list) : candidates.best(kProbablyEnough);
  std::size_t in_order = in_place ? list.size() : kProbablyEnough;
  float sum = 0;
  std::size_t kept = list.size();
  for (std::size_t i = 0; i < list.size(); ++i) {
    sum += best[i].p;
    if (sum >= p && i + 1 >= min_keep) {
      kept = i + 1;
      break;
    }
    if (i + 1 == in_order && in_order < list.size()) {
      in_order = list.size();
      best = candidates.best(in_order);
    }
  }
  if (in_place) {
    candidates.keep_first(kept);
  } else {
    candidates.replace(best.first(kept), true);
  }
}

void MinP::apply(Candidates& candidates) const {
  const auto list = candidates.list();
  const float log_p = std::log(p);
  if (!candidates.sorted()) {
    float highest = std::numeric_limits<float>::lowest();
    for (const auto& candidate : list) {
      highest = std::max(highest, candidate.logit);
    }
    const auto goes = [least = highest + log_p](const Candidate& candidate) {
      return candidate.logit < least;
    };
    const auto staying =
        list.size() - static_cast<std::size_t>(std::count_if(list.begin(), list.end(), goes));
    if (staying > 0 && staying >= min_keep) {
      const auto end = std::remove_if(list.begin(), list.end(), goes);
      candidates.keep_first(static_cast<std::size_t>(end - list.begin()));
      return;
    }
    candidates.keep_best(list.size());
  }
  const float least = list[0].logit + log_p;
  std::size_t kept = 1;
  while (kept < list.size() && (list[kept].logit >= least || kept < min_keep)) ++kept;
  candidates.keep_first(kept);
}

void Xtc::apply(Candidates& candidates) {
  if (candidates.size() < 2) return;
  std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
  if (uniform(random) > probability) return;
  softmax(candidates, true);
  const auto list = candidates.list();
  std::size_t last = 0;
  for (std::size_t i = 0; i < list.size() && list[i].p >= threshold; ++i) last = i;
  if (last > 0 && list.size() - last >= min_keep) {
    candidates.drop_first(last);
  }
}

}  // namespace gpqa
