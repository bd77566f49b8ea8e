#include "tests/runners/embedded/sampling/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

namespace gpqa_test {

using gpqa::SamplerKind;
using Entry = Reference::Entry;

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

bool falling(const Entry& a, const Entry& b) {
  return a.logit > b.logit;
}

bool ends_with(const std::vector<int>& tokens, const std::vector<int>& end) {
  return !end.empty() && tokens.size() >= end.size() &&
         std::equal(end.begin(), end.end(), tokens.end() - std::ssize(end));
}

std::vector<int> last(const std::vector<int>& tokens, int n) {
  const auto count = std::min<std::ptrdiff_t>(std::ssize(tokens), std::max(n, 0));
  return {tokens.end() - count, tokens.end()};
}

}  // namespace

Reference::Reference(gpqa::SamplerSettings settings, std::uint32_t seed, ReferenceVocabulary vocabulary,
                     std::optional<ReferenceTags> tags)
    : s_(std::move(settings)),
      vocabulary_(std::move(vocabulary)),
      tags_(std::move(tags)),
      random_(seed),
      xtc_random_(s_.samplers.size(), std::mt19937(seed)),
      mu_(2 * s_.mirostat_tau),
      weighted_(s_.adaptive_target / (1 - s_.adaptive_decay)),
      weight_(1 / (1 - s_.adaptive_decay)) {
  if (tags_) generated_ = tags_->generation_prompt;
}

std::optional<int> Reference::sample(const std::vector<float>& logits) {
  try {
    const int token = chain(logits);
    history.push_back(token);
    generated_.push_back(token);
    return token;
  } catch (const Unusable&) {
    return std::nullopt;
  }
}

// The whole answer is gone through again for each token.
std::optional<int> Reference::forced_now() const {
  if (!tags_ || tags_->start.empty() || tags_->ends.empty() || s_.reasoning_budget < 0) return std::nullopt;
  enum { outside, inside, late, forcing } where = outside;
  std::vector<int> seen;  // since the last thing that happened
  int count = 0;
  std::size_t put_in = 0;
  const auto start_forcing = [&] {
    where = forcing;
    put_in = 0;
  };
  for (const int token : generated_) {
    if (where == forcing) {
      ++put_in;
      if (put_in >= tags_->forced.size()) {
        where = outside;
        seen.clear();
      }
      continue;
    }
    seen.push_back(token);
    if (where == outside) {
      if (ends_with(seen, tags_->start)) {
        seen.clear();
        count = 0;
        where = inside;
        if (s_.reasoning_budget == 0) start_forcing();
      }
      continue;
    }
    if (std::any_of(tags_->ends.begin(), tags_->ends.end(),
                    [&](const auto& end) { return ends_with(seen, end); })) {
      where = outside;
      seen.clear();
      continue;
    }
    ++count;
    if (where == late || count >= s_.reasoning_budget) {
      if (tags_->whole_characters(token)) {
        start_forcing();
      } else if (where == inside) {
        where = late;
        seen.clear();
      }
    }
  }
  if (where != forcing || put_in >= tags_->forced.size()) return std::nullopt;
  return tags_->forced[put_in];
}

int Reference::chain(const std::vector<float>& logits) {
  list_.clear();
  sorted_ = false;
  for (const float logit : logits) {
    list_.push_back({static_cast<int>(list_.size()), logit, 0});
  }
  check();
  if (const auto forced = forced_now()) {
    for (auto& entry : list_) {
      if (entry.id != *forced) entry.logit = kNever;
    }
  }
  auto biases = s_.logit_bias;
  for (const int token : s_.suppress_tokens) biases.push_back({token, kNever});
  for (const auto& [token, bias] : biases) {
    if (token >= 0 && token < std::ssize(list_)) list_[static_cast<std::size_t>(token)].logit += bias;
    check();
  }
  std::size_t chosen = 0;
  if (s_.mirostat != 0) {
    if (s_.temperature != 1) temperature(s_.temperature);
    check();
    chosen = mirostat();
  } else {
    for (place_ = 0; place_ < s_.samplers.size(); ++place_) {
      run(s_.samplers[place_]);
      check();
    }
    const bool adapts =
        std::find(s_.samplers.begin(), s_.samplers.end(), SamplerKind::adaptive_p) != s_.samplers.end();
    chosen = adapts ? adaptive() : dist();
  }
  return list_[chosen].id;
}

void Reference::run(SamplerKind kind) {
  switch (kind) {
    case SamplerKind::penalties:
      return penalties();
    case SamplerKind::dry:
      return dry();
    case SamplerKind::top_n_sigma:
      return top_n_sigma();
    case SamplerKind::top_k:
      return top_k();
    case SamplerKind::typ_p:
      return typical();
    case SamplerKind::top_p:
      return top_p();
    case SamplerKind::min_p:
      return min_p();
    case SamplerKind::xtc:
      return xtc();
    case SamplerKind::temperature:
      if (s_.dynatemp_range > 0) return dynamic_temperature();
      if (s_.temperature != 1) temperature(s_.temperature);
      return;
    case SamplerKind::adaptive_p:
    case SamplerKind::infill:
      return;
  }
}

void Reference::check() const {
  for (const auto& entry : list_) {
    if (std::isnan(entry.logit) || entry.logit == -kNever) throw Unusable();
  }
}

// The k highest: std::partial_sort up to 128, else a bucket for every 20/128 between -10 and 10.
std::vector<Entry> Reference::best(std::size_t k) const {
  auto copy = list_;
  const auto n = static_cast<std::ptrdiff_t>(k);
  if (k <= 128) {
    std::partial_sort(copy.begin(), copy.begin() + n, copy.end(), falling);
    copy.resize(k);
    return copy;
  }
  std::map<int, std::vector<Entry>, std::greater<>> buckets;
  for (const auto& entry : copy) {
    const double place = static_cast<double>(6.4f * entry.logit + 64.0f);
    buckets[place <= 0 ? 0 : place >= 127 ? 127 : static_cast<int>(place)].push_back(entry);
  }
  std::vector<Entry> result;
  for (auto& [number, bucket] : buckets) {
    const std::size_t missing = k - result.size();
    if (missing == 0) break;
    if (bucket.size() < missing) {
      std::sort(bucket.begin(), bucket.end(), falling);
    } else {
      std::partial_sort(bucket.begin(), bucket.begin() + static_cast<std::ptrdiff_t>(missing), bucket.end(),
                        falling);
      bucket.resize(missing);
    }
    result.insert(result.end(), bucket.begin(), bucket.end());
  }
  return result;
}

void Reference::sort(std::size_t k) {
  k = std::min(k, list_.size());
  if (!sorted_) list_ = best(k);
  list_.resize(k);
  sorted_ = true;
}

void Reference::softmax(bool sorting) {
  if (sorting) sort(list_.size());
  float highest = list_[0].logit;
  if (!sorted_) {
    for (const auto& entry : list_) highest = std::max(highest, entry.logit);
  }
  if (highest == kNever) throw Unusable();
  float sum = 0;
  for (auto& entry : list_) sum += entry.p = std::exp(entry.logit - highest);
  for (auto& entry : list_) entry.p /= sum;
}

void Reference::penalties() {
  if (s_.repeat_last_n <= 0) return;
  if (s_.repeat_penalty == 1 && s_.frequency_penalty == 0 && s_.presence_penalty == 0) return;
  const auto recent = last(history, s_.repeat_last_n);
  for (auto& entry : list_) {
    const auto n = std::count(recent.begin(), recent.end(), entry.id);
    if (n == 0) continue;
    if (entry.logit > 0) {
      entry.logit /= s_.repeat_penalty;
    } else {
      entry.logit *= s_.repeat_penalty;
    }
    entry.logit -= static_cast<float>(n) * s_.frequency_penalty + s_.presence_penalty;
  }
  sorted_ = false;
}

// The tokens after its first of the longest breaker that begins i tokens from the end of `recent`; -1: none
// does.
int Reference::breaker_at(const std::vector<int>& recent, std::size_t i) const {
  const std::size_t place = recent.size() - 1 - i;
  const std::string& piece = vocabulary_.pieces[static_cast<std::size_t>(recent[place])];
  int longest = -1;
  for (std::string breaker : s_.dry_sequence_breakers) {
    breaker = breaker.substr(0, std::min<std::size_t>(breaker.find('\0'), 40));
    if (breaker.empty()) continue;
    if (piece.find(breaker) != std::string::npos) {
      longest = std::max(longest, 0);
      continue;
    }
    for (std::size_t from = 0; from < piece.size(); ++from) {
      const std::string end = piece.substr(from);
      if (breaker.compare(0, end.size(), end) != 0) continue;
      auto tail = vocabulary_.tokenize(breaker.substr(end.size()));
      tail.resize(std::min<std::size_t>(tail.size(), 20));
      if (tail.size() <= i &&
          std::equal(tail.begin(), tail.end(), recent.begin() + static_cast<std::ptrdiff_t>(place) + 1)) {
        longest = std::max(longest, static_cast<int>(tail.size()));
      }
    }
  }
  return longest;
}

void Reference::dry() {
  if (s_.dry_multiplier == 0 || s_.dry_base < 1 || s_.dry_penalty_last_n == 0) return;
  const auto recent = last(history, s_.dry_penalty_last_n);
  const int n = static_cast<int>(recent.size());
  if (n <= s_.dry_allowed_length) return;
  int reach = n;
  for (int i = 0; i < n; ++i) {
    if (const int tail = breaker_at(recent, static_cast<std::size_t>(i)); tail >= 0) {
      reach = i - tail;
      break;
    }
  }
  if (reach < s_.dry_allowed_length) return;
  std::map<int, int> longest;
  for (int k = 1; k < n; ++k) {  // an earlier end of the text, k tokens back
    int same = 0;
    while (k + same < n && recent[static_cast<std::size_t>(n - 1 - same)] ==
                               recent[static_cast<std::size_t>(n - 1 - k - same)])
      ++same;
    same = std::min(same, reach);
    const int follower = recent[static_cast<std::size_t>(n - k)];
    if (same >= s_.dry_allowed_length) longest[follower] = std::max(longest[follower], same);
  }
  for (auto& entry : list_) {
    const auto it = longest.find(entry.id);
    if (it == longest.end()) continue;
    if (breaker_at({entry.id}, 0) == 0) continue;
    int exponent = it->second - s_.dry_allowed_length;
    if (s_.dry_base > 1.000001f)
      exponent = std::min(exponent, static_cast<int>(88.7228391f / std::log(s_.dry_base)));
    double power = std::pow(static_cast<double>(s_.dry_base), exponent);
    entry.logit -= static_cast<float>(static_cast<double>(s_.dry_multiplier) * power);
  }
  sorted_ = false;
}

std::vector<Entry> Reference::candidates() const {
  auto copy = list_;
  if (!sorted_) {
    std::sort(copy.begin(), copy.end(), [](const Entry& a, const Entry& b) { return a.p > b.p; });
  }
  return copy;
}

}  // namespace gpqa_test
