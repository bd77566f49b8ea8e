#include "runners/embedded/engine/divergence.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

namespace gpqa {
namespace {

struct Normaliser {
  float top = 0;
  std::size_t top_id = 0;
  double log_sum = 0;  // of e^(logit - top)
  double log_p(float logit) const { return static_cast<double>(logit) - top - log_sum; }
};

Normaliser normalise(std::span<const float> logits) {
  Normaliser n;
  n.top_id = static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  n.top = logits[n.top_id];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - n.top);
  n.log_sum = std::log(sum);
  return n;
}

}  // namespace

Divergence& Divergence::operator+=(const Divergence& other) {
  tokens += other.tokens;
  kl += other.kl;
  most_kl = std::max(most_kl, other.most_kl);
  same_top += other.same_top;
  nll_first += other.nll_first;
  nll_second += other.nll_second;
  return *this;
}

Divergence compare_logits(std::span<const float> first, std::span<const float> second, std::int32_t next) {
  assert(first.size() == second.size());
  const auto p = normalise(first);
  const auto q = normalise(second);
  double kl = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const double log_p = p.log_p(first[i]);
    const double chance = std::exp(log_p);
    if (chance > 0) kl += chance * (log_p - q.log_p(second[i]));
  }
  const auto at = static_cast<std::size_t>(next);
  return {.tokens = 1,
          .kl = kl,
          .most_kl = kl,
          .same_top = p.top_id == q.top_id ? 1U : 0U,
          .nll_first = -p.log_p(first[at]),
          .nll_second = -q.log_p(second[at])};
}

Divergence compare_on_text(LoadedModel& first, LoadedModel& second, std::span<const std::int32_t> ids,
                           std::size_t from, const std::function<void(std::size_t)>& progress) {
  assert(from >= 1 && ids.size() <= first.model().sizes().cells &&
         ids.size() <= second.model().sizes().cells);
  Divergence sum;
  const auto& a = first.model().sizes();
  const auto& b = second.model().sizes();
  const std::size_t chunk = std::min({a.max_tokens, b.max_tokens, a.max_logits, b.max_logits});
  const std::size_t width = first.model().config().vocabulary;
  for (std::size_t start = 0; start + 1 < ids.size(); start += chunk) {
    Batch batch;
    std::vector<std::size_t> wanted;  // those that predict a token from `from` on
    for (std::size_t i = start; i < std::min(start + chunk, ids.size() - 1); ++i) {
      if (i + 1 >= from) wanted.push_back(batch.size());
      batch.add(ids[i], i, 0);
    }
    const auto logits = first.backend().read_back(first.model().forward(batch, wanted));
    const auto others = second.backend().read_back(second.model().forward(batch, wanted));
    for (std::size_t i = 0; i < wanted.size(); ++i)
      sum += compare_logits(std::span(logits).subspan(i * width, width),
                            std::span(others).subspan(i * width, width), ids[start + wanted[i] + 1]);
    if (progress) progress(start + batch.size());
  }
  return sum;
}

}  // namespace gpqa
