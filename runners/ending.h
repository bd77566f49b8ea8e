// How an answer came to its end, by what is known of it: the same for whoever gave it.
#pragma once

#include <cstdint>
#include <string_view>

#include "runners/completion.h"
#include "runners/sampling_config.h"

namespace gpqa {

struct Ending {
  std::string_view finish_reason;
  bool has_content = false;
  bool truncated = false;  // the server says that the context was full
  TokenCounts tokens;
};

// `slot_context` 0: unknown.
inline Outcome classify_ending(const Ending& ending, const SamplingConfig& sampling,
                               std::int64_t slot_context) {
  if (ending.finish_reason != "length") return Outcome::stop;
  const bool all_used = ending.tokens.completion >= sampling.max_tokens;
  const bool slot_full = slot_context > 0 && ending.tokens.prompt + ending.tokens.completion >= slot_context;
  if (!all_used && (ending.truncated || slot_full)) return Outcome::context_full;
  if (!ending.has_content) return Outcome::cut_in_reasoning;
  // Thinking took its whole budget (the tags come on top) and the answer all that was left.
  const bool budget_spent = sampling.reasoning_budget && *sampling.reasoning_budget > 0 &&
                            sampling.thinking == Thinking::required &&
                            ending.tokens.reasoning.value_or(0) >= *sampling.reasoning_budget;
  return budget_spent && all_used ? Outcome::rumination : Outcome::cut_in_answer;
}

}  // namespace gpqa
