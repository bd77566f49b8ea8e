#include "runners/embedded/sampling/dry.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace gpqa {
namespace {

constexpr float kLogOfMax = 88.7228391f;  // ln of the largest float: no power goes beyond it
constexpr float kLeastBase = 1.000001f;   // below, none comes near it

}  // namespace

Dry::Dry(std::size_t last_n, float multiplier, float base, int allowed_length,
         std::shared_ptr<const DryBreakers> breakers)
    : recent_(last_n),
      multiplier_(multiplier),
      base_(base),
      allowed_length_(static_cast<std::size_t>(allowed_length)),
      max_exponent_(base > kLeastBase ? static_cast<int>(kLogOfMax / std::log(base)) : 0),
      breakers_(std::move(breakers)) {
  assert(allowed_length >= 0 && breakers_ != nullptr);
}

// False if there is nothing that could be repeated; else longest_ is filled.
bool Dry::find_repeats() {
  const auto recent = recent_.view();
  const std::size_t n = recent.size();
  if (n <= allowed_length_) return false;
  const std::size_t reach = breakers_->since_last(recent);
  if (reach < allowed_length_) return false;

  // The Z-algorithm from the end backwards: [left, right] are the places of the repetition that reaches
  // furthest back.
  const auto from_end = [&](std::size_t i) { return recent[n - 1 - i]; };
  repeated_.assign(n, 0);
  longest_.clear();
  std::size_t left = 0;
  std::size_t right = 0;
  for (std::size_t k = 1; k < n; ++k) {
    std::size_t length = k < right ? std::min(repeated_[k - left], right - k) : 0;
    while (k + length < n && from_end(length) == from_end(k + length)) ++length;
    repeated_[k] = length;
    if (k + length > right) {
      left = k;
      right = k + length;
    }
    if (const std::size_t counted = std::min(length, reach); counted >= allowed_length_) {
      auto& longest = longest_[from_end(k - 1)];
      longest = std::max(longest, counted);
    }
  }
  return true;
}

float Dry::penalty(std::size_t repeated) const {
  int exponent = static_cast<int>(repeated - allowed_length_);
  if (max_exponent_ > 0) exponent = std::min(exponent, max_exponent_);
  return static_cast<float>(static_cast<double>(multiplier_) *
                            std::pow(static_cast<double>(base_), static_cast<double>(exponent)));
}

void Dry::apply(Candidates& candidates) {
  if (!find_repeats()) return;
  std::erase_if(longest_, [this](const auto& entry) { return breakers_->single(entry.first); });
  candidates.adjust(longest_, "dry",
                    [this](float logit, std::size_t repeated) { return logit - penalty(repeated); });
  candidates.set_unsorted();
}

}  // namespace gpqa
