#include "runners/embedded/sampling/choice.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace gpqa {
namespace {

// As std::discrete_distribution does it, which draws nothing for one candidate.
std::size_t draw(std::span<const Candidate> list, std::mt19937& random) {
  std::vector<double> weights;
  weights.reserve(list.size());
  for (const auto& candidate : list) {
    weights.push_back(static_cast<double>(candidate.p));
  }
  std::discrete_distribution<int> distribution(weights.begin(), weights.end());
  return static_cast<std::size_t>(distribution(random));
}

// Draws, and moves mu towards a surprise of tau.
std::size_t draw_with_surprise(Candidates& candidates, std::mt19937& random, float tau, float eta,
                               float& mu) {
  softmax(candidates, true);
  const auto list = candidates.list();
  const std::size_t chosen = draw(list, random);
  const float surprise = -std::log2(list[chosen].p);
  mu = mu - eta * (surprise - tau);
  return chosen;
}

// What Mirostat 1 estimates from the m most likely: p of the i-th falls as i^-s.
float zipf_exponent(std::span<const Candidate> list) {
  constexpr std::size_t kMost = 100;
  float products = 0;
  float squares = 0;
  for (std::size_t i = 0; i + 1 < std::min(kMost, list.size()); ++i) {
    const float t = std::log(static_cast<float>(i + 2) / static_cast<float>(i + 1));
    const float b = std::log(list[i].p / list[i + 1].p);
    products += t * b;
    squares += t * t;
  }
  return products / squares;
}

}  // namespace

std::size_t Dist::choose(Candidates& candidates) {
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  const auto list = candidates.list();
  const float highest = highest_logit(candidates);
  if (list.size() == 1) {
    uniform(random);
    list[0].p = 1;
    return 0;
  }
  double sum = 0;
  for (auto& candidate : list) {
    candidate.p = std::exp(candidate.logit - highest);
    sum += static_cast<double>(candidate.p);
  }
  const double target = sum * uniform(random);
  double running = 0;
  std::size_t chosen = list.size();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (chosen == list.size()) {
      running += static_cast<double>(list[i].p);
      if (running >= target) chosen = i;
    }
    list[i].p = static_cast<float>(static_cast<double>(list[i].p) / sum);
  }
  assert(chosen < list.size());  // running ends at sum, and target is no more
  return chosen;
}

std::size_t Mirostat1::choose(Candidates& candidates) {
  softmax(candidates, true);
  const float s = zipf_exponent(candidates.list());
  const float epsilon = s - 1;
  const float k = std::pow(
      (epsilon * std::pow(2.0f, mu)) / (1 - std::pow(static_cast<float>(candidates.vocabulary()), -epsilon)),
      1 / s);
  // One where k is NaN or past an int, as the conversion on x86 and llama-server's bound from below come to.
  const bool is_int = k >= 1 && k < -static_cast<float>(std::numeric_limits<int>::min());
  candidates.keep_best(is_int ? static_cast<std::size_t>(k) : 1);
  return draw_with_surprise(candidates, random, tau, eta, mu);
}

std::size_t Mirostat2::choose(Candidates& candidates) {
  softmax(candidates, true);
  const auto list = candidates.list();
  const auto surprising = std::find_if(
      list.begin(), list.end(), [this](const Candidate& candidate) { return -std::log2(candidate.p) > mu; });
  candidates.keep_first(std::max<std::size_t>(static_cast<std::size_t>(surprising - list.begin()), 1));
  return draw_with_surprise(candidates, random, tau, eta, mu);
}

AdaptiveP::AdaptiveP(std::uint32_t seed, float target, float decay)
    : random_(seed),
      target_(target),
      decay_(decay),
      weighted_sum_(target / (1.0f - decay)),
      total_weight_(1.0f / (1.0f - decay)) {}

std::size_t AdaptiveP::choose(Candidates& candidates) {
  softmax(candidates, false);
  if (target_ < 0) return draw(candidates.list(), random_);
  constexpr float kInverseWidth = 1.0f / 0.3f;
  constexpr float kPeak = 5;
  constexpr float kSharpness = 10;
  const auto list = candidates.list();
  original_.clear();
  for (const auto& candidate : list) {
    original_.push_back(candidate.p);
  }
  const float target = std::clamp(target_, 0.0f, 1.0f);
  const float adapted =
      std::clamp(total_weight_ == 0 ? target : 2.0f * target - weighted_sum_ / total_weight_, 0.0f, 1.0f);
  for (auto& candidate : list) {
    if (candidate.logit != -std::numeric_limits<float>::infinity()) {
      const float distance = std::abs((candidate.p - adapted) * kInverseWidth);
      candidate.logit = kPeak - kSharpness * distance * distance / (1.0f + distance);
    }
  }
  softmax(candidates, false);
  const std::size_t chosen = draw(list, random_);
  pending_ = {.token = list[chosen].id, .p = original_[chosen]};
  return chosen;
}

void AdaptiveP::accept(int token) {
  if (pending_ && pending_->token == token) {
    weighted_sum_ = pending_->p + decay_ * weighted_sum_;
    total_weight_ = 1.0f + decay_ * total_weight_;
  }
  pending_.reset();
}

}  // namespace gpqa
