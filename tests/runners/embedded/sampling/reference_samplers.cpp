// The reference's filters, temperatures and choices.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <numeric>
#include <utility>

#include "tests/runners/embedded/sampling/reference.h"

namespace gpqa_test {

using Entry = Reference::Entry;

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

bool falling(const Entry& a, const Entry& b) {
  return a.logit > b.logit;
}

}  // namespace

void Reference::top_n_sigma() {
  if (s_.top_n_sigma <= 0 || list_.size() < 2) return;
  std::vector<float> finite;
  for (const auto& entry : list_) {
    if (entry.logit != kNever) finite.push_back(entry.logit);
  }
  if (finite.empty()) return;
  const auto count = static_cast<float>(finite.size());
  const float mean = std::accumulate(finite.begin(), finite.end(), 0.0f) / count;
  float squares = 0;
  for (const float x : finite) {
    const double d = static_cast<double>(x - mean);
    squares = static_cast<float>(static_cast<double>(squares) + d * d);
  }
  const float bound =
      *std::max_element(finite.begin(), finite.end()) - s_.top_n_sigma * std::sqrt(squares / count);
  for (auto& entry : list_) {
    if (entry.logit < bound) entry.logit = kNever;
  }
}

void Reference::top_k() {
  if (s_.top_k > 0) sort(static_cast<std::size_t>(s_.top_k));
}

void Reference::typical() {
  if (s_.typical_p >= 1) return;
  softmax(true);
  float entropy = 0;
  for (const auto& entry : list_) entropy += -entry.p * std::log(entry.p);
  std::vector<std::pair<float, std::size_t>> scores;
  for (std::size_t i = 0; i < list_.size(); ++i)
    scores.emplace_back(std::abs(-std::log(list_[i].p) - entropy), i);
  std::sort(scores.begin(), scores.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Entry> kept;
  float sum = 0;
  for (const auto& score : scores) {
    kept.push_back(list_[score.second]);
    sum += kept.back().p;
    if (sum > s_.typical_p && std::ssize(kept) >= s_.min_keep) break;
  }
  list_ = kept;
  sorted_ = false;
}

void Reference::top_p() {
  if (s_.top_p >= 1) return;
  softmax(false);
  // More than 1,024 unsorted ones: by buckets, first 256 of them and all only if those aren't enough.
  const auto cut = [&](const std::vector<Entry>& from) -> std::size_t {
    float sum = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      sum += from[i].p;
      if (sum >= s_.top_p && std::ssize(from) > 0 && static_cast<std::ptrdiff_t>(i + 1) >= s_.min_keep)
        return i + 1;
    }
    return 0;
  };
  if (!sorted_ && list_.size() > 1024) {
    if (const auto first = best(256); cut(first) > 0) {
      list_ = {first.begin(), first.begin() + static_cast<std::ptrdiff_t>(cut(first))};
      sorted_ = true;
      return;
    }
  }
  sort(list_.size());
  if (const std::size_t kept = cut(list_); kept > 0) list_.resize(kept);
}

void Reference::min_p() {
  if (s_.min_p <= 0) return;
  if (!sorted_) {
    float highest = std::numeric_limits<float>::lowest();
    for (const auto& entry : list_) highest = std::max(highest, entry.logit);
    std::vector<Entry> kept;
    std::copy_if(list_.begin(), list_.end(), std::back_inserter(kept),
                 [&](const Entry& entry) { return entry.logit >= highest + std::log(s_.min_p); });
    if (!kept.empty() && std::ssize(kept) >= s_.min_keep) {
      list_ = kept;
      return;
    }
    sort(list_.size());
  }
  const float bound = list_[0].logit + std::log(s_.min_p);
  std::vector<Entry> kept = {list_[0]};
  for (std::size_t i = 1; i < list_.size(); ++i) {
    if (list_[i].logit < bound && std::ssize(kept) >= s_.min_keep) break;
    kept.push_back(list_[i]);
  }
  list_ = kept;
}

void Reference::xtc() {
  if (s_.xtc_probability <= 0 || s_.xtc_threshold > 0.5f || list_.size() < 2) return;
  if (std::uniform_real_distribution<float>(0, 1)(xtc_random_[place_]) > s_.xtc_probability) return;
  softmax(true);
  const auto below = std::find_if(list_.begin(), list_.end(),
                                  [&](const Entry& entry) { return !(entry.p >= s_.xtc_threshold); });
  const auto reach = below - list_.begin();  // that many reach the threshold
  if (reach < 2 || std::ssize(list_) - (reach - 1) < s_.min_keep) return;
  list_.erase(list_.begin(), list_.begin() + reach - 1);
}

void Reference::temperature(float value) {
  if (!(value <= 0)) {
    for (auto& entry : list_) entry.logit /= value;
    return;
  }
  const auto highest = std::min_element(list_.begin(), list_.end(), falling);
  for (auto& entry : list_) {
    if (&entry != &*highest) entry.logit = kNever;
  }
}

void Reference::dynamic_temperature() {
  if (list_.size() < 2) return;
  softmax(true);
  float entropy = 0;
  for (const auto& entry : list_) {
    if (entry.p > 0) entropy -= entry.p * std::log(entry.p);
  }
  const float most = -std::log(1.0f / static_cast<float>(list_.size()));
  const float low = std::max(s_.temperature - s_.dynatemp_range, 0.0f);
  const float high = s_.temperature + s_.dynatemp_range;
  temperature(low + (high - low) * std::pow(entropy / most, s_.dynatemp_exponent));
}

std::size_t Reference::dist() {
  float highest = list_[0].logit;
  for (const auto& entry : list_) highest = std::max(highest, entry.logit);
  if (highest == kNever) throw Unusable();
  if (sorted_) highest = list_[0].logit;
  // Two words of the generator, the first the lower: a whole double is made of them even for one candidate.
  const auto low = static_cast<double>(random_());
  const auto high = static_cast<double>(random_());
  const double u = (low + high * 4294967296.0) / 18446744073709551616.0;
  if (list_.size() == 1) {
    list_[0].p = 1;
    return 0;
  }
  std::vector<double> up_to;
  double sum = 0;
  for (auto& entry : list_) {
    entry.p = std::exp(entry.logit - highest);
    sum += static_cast<double>(entry.p);
    up_to.push_back(sum);
  }
  for (auto& entry : list_) entry.p = static_cast<float>(static_cast<double>(entry.p) / sum);
  return static_cast<std::size_t>(std::lower_bound(up_to.begin(), up_to.end(), u * sum) - up_to.begin());
}

std::size_t Reference::by_distribution() {
  std::vector<float> p;
  for (const auto& entry : list_) p.push_back(entry.p);
  return std::discrete_distribution<std::size_t>(p.begin(), p.end())(random_);
}

std::size_t Reference::mirostat() {
  const std::size_t vocabulary = list_.size();
  softmax(true);
  if (s_.mirostat == 1) {
    float tb = 0;
    float tt = 0;
    for (std::size_t i = 0; i < 99 && i + 1 < list_.size(); ++i) {
      const float t = std::log(static_cast<float>(i + 2) / static_cast<float>(i + 1));
      tb += t * std::log(list_[i].p / list_[i + 1].p);
      tt += t * t;
    }
    const float s = tb / tt;
    const float e = s - 1;
    const float k =
        std::pow(e * std::pow(2.0f, mu_) / (1 - std::pow(static_cast<float>(vocabulary), -e)), 1 / s);
    const bool usable = k >= 1 && k < 2147483648.0f;
    list_.resize(std::min(list_.size(), usable ? static_cast<std::size_t>(k) : 1));
  } else {
    std::size_t kept = 0;
    while (kept < list_.size() && !(-std::log2(list_[kept].p) > mu_)) ++kept;
    list_.resize(std::max<std::size_t>(kept, 1));
  }
  softmax(true);
  const std::size_t chosen = by_distribution();
  mu_ -= s_.mirostat_eta * (-std::log2(list_[chosen].p) - s_.mirostat_tau);
  return chosen;
}

std::size_t Reference::adaptive() {
  softmax(false);
  if (s_.adaptive_target < 0) return by_distribution();
  const auto before = list_;
  const float target = std::min(s_.adaptive_target, 1.0f);
  const float adapted =
      weight_ == 0 ? target : std::min(std::max(2 * target - weighted_ / weight_, 0.0f), 1.0f);
  for (auto& entry : list_) {
    if (entry.logit == kNever) continue;
    const float d = std::abs((entry.p - adapted) * (1 / 0.3f));
    entry.logit = 5 - 10 * d * d / (1 + d);
  }
  softmax(false);
  const std::size_t chosen = by_distribution();
  weighted_ = before[chosen].p + s_.adaptive_decay * weighted_;
  weight_ = 1 + s_.adaptive_decay * weight_;
  return chosen;
}

}  // namespace gpqa_test
