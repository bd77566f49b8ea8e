#include "runners/embedded/sampling/penalties.h"

namespace gpqa {

void Penalties::accept(int token) {
  ++count_[token];
  if (recent_.full()) {
    const auto oldest = count_.find(recent_.view().front());
    if (--oldest->second == 0) count_.erase(oldest);
  }
  recent_.push(token);
}

void Penalties::apply(Candidates& candidates) const {
  candidates.adjust(count_, "penalties", [this](float logit, int count) {
    logit = logit <= 0 ? logit * repeat_ : logit / repeat_;
    return logit - (static_cast<float>(count) * frequency_ + presence_);
  });
  candidates.set_unsorted();
}

}  // namespace gpqa
