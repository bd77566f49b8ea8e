// How far one model's predictions are from another's on the same text: what tells variants apart long before
// their answers do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "runners/embedded/engine/loaded_model.h"

namespace gpqa {

// Sums over the predicted tokens of a text; logarithms are natural.
struct Divergence {
  std::uint64_t tokens = 0;
  double kl = 0;               // of the first model's distributions from the second's
  double most_kl = 0;          // of one token
  std::uint64_t same_top = 0;  // the most probable token is the same one
  double nll_first = 0;        // -log p of the token that came, by each
  double nll_second = 0;

  Divergence& operator+=(const Divergence& other);
};

// Of one position, from logits [vocabulary]. Exactly 0 for equal logits.
Divergence compare_logits(std::span<const float> first, std::span<const float> second, std::int32_t next);

// Feeds `ids` to both (slot 0, from position 0) and compares what they say of each token from index `from`
// on; from >= 1, and neither model's slot may be shorter. `progress` hears how many tokens are done.
Divergence compare_on_text(LoadedModel& first, LoadedModel& second, std::span<const std::int32_t> ids,
                           std::size_t from, const std::function<void(std::size_t)>& progress = {});

}  // namespace gpqa
