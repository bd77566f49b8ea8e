#include "runners/embedded/sampling/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace gpqa {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool usable(float logit) {
  return logit < kInfinity;  // false for NaN too
}

}  // namespace

void Candidates::assign(std::span<const float> logits) {
  if (logits.empty() || logits.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw BadLogits(fmt::format("{} logits can't be sampled from", logits.size()));
  }
  logits_.resize(logits.size());
  unsigned unusable = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {  // no branch: this is read at the memory's speed
    logits_[i] = logits[i];
    unusable |= static_cast<unsigned>(!usable(logits[i]));
  }
  whole_ = true;
  sorted_ = false;
  first_ = 0;
  if (unusable != 0) {
    const auto it = std::find_if_not(logits.begin(), logits.end(), usable);
    require(static_cast<int>(it - logits.begin()), *it, "the forward pass");
  }
}

void Candidates::require(int id, float logit, std::string_view sampler) {
  if (!usable(logit)) {
    throw BadLogits(
        fmt::format("token {}'s logit is {} after {}: nothing can be sampled from that; check the "
                    "model file (its weights may be damaged) and the sampling settings",
                    id, logit, sampler));
  }
}

std::span<Candidate> Candidates::list() {
  if (whole_) {
    list_.resize(logits_.size());
    for (std::size_t i = 0; i < logits_.size(); ++i) {
      list_[i] = {.id = static_cast<int>(i), .logit = logits_[i], .p = 0};
    }
    first_ = 0;
    size_ = list_.size();
    whole_ = false;
  }
  return std::span(list_).subspan(first_, size_);
}

std::span<const Candidate> Candidates::list() const {
  assert(!whole_);
  return std::span(list_).subspan(first_, size_);
}

void Candidates::leave_only(int id) {
  assert(whole_);
  if (id < 0 || static_cast<std::size_t>(id) >= logits_.size()) {
    throw BadLogits(fmt::format("token {} can't be forced: the vocabulary has {}", id, logits_.size()));
  }
  const float logit = logits_[static_cast<std::size_t>(id)];
  std::fill(logits_.begin(), logits_.end(), -kInfinity);
  logits_[static_cast<std::size_t>(id)] = logit;
}

void Candidates::add(int id, float bias, std::string_view sampler) {
  assert(whole_);
  if (id >= 0 && static_cast<std::size_t>(id) < logits_.size()) {
    float& logit = logits_[static_cast<std::size_t>(id)];
    logit += bias;
    require(id, logit, sampler);
  }
}

void Candidates::keep_best(std::size_t k) {
  k = std::min(k, size());
  if (!sorted_) {
    if (whole_) {
      best_of_logits(logits_, k, list_, scratch_);
      whole_ = false;
      first_ = 0;
    } else {
      best_in_place(list(), k, scratch_);
    }
    sorted_ = true;
  }
  size_ = k;
}

std::span<const Candidate> Candidates::best(std::size_t k) {
  best_by_buckets(list(), k, scratch_);
  return scratch_.sorted;
}

void Candidates::keep_first(std::size_t n) {
  size_ = std::min(n, list().size());
}

void Candidates::drop_first(std::size_t n) {
  n = std::min(n, list().size());
  first_ += n;
  size_ -= n;
}

void Candidates::replace(std::span<const Candidate> kept, bool sorted) {
  const auto place = list();
  assert(kept.size() <= place.size());
  std::copy(kept.begin(), kept.end(), place.begin());
  size_ = kept.size();
  sorted_ = sorted;
}

float highest_logit(const Candidates& candidates) {
  const auto list = candidates.list();
  assert(!list.empty());
  float highest = list[0].logit;
  if (!candidates.sorted()) {
    for (const auto& candidate : list) {
      highest = std::max(highest, candidate.logit);
    }
  }
  if (highest == -kInfinity) {
    throw BadLogits(fmt::format(
        "the logits of all {} candidates are -inf: no token can be sampled; check the biases, the suppressed "
        "tokens and a forced end of the reasoning for tokens that exclude each other",
        list.size()));
  }
  return highest;
}

void softmax(Candidates& candidates, bool sort) {
  if (sort && !candidates.sorted()) {
    candidates.keep_best(candidates.size());
  }
  const auto list = candidates.list();
  const float highest = highest_logit(candidates);
  float sum = 0;
  for (auto& candidate : list) {
    candidate.p = std::exp(candidate.logit - highest);
    sum += candidate.p;
  }
  for (auto& candidate : list) {
    candidate.p /= sum;
  }
}

}  // namespace gpqa
