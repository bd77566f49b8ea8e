// What a runner gives back: the text, how it ended, what it cost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "prompts/trial.h"

namespace gpqa {

// How generation ended. Everything but `cancelled` and `failed` is the model's own doing and is never drawn
// again.
enum class Outcome {
  stop,              // end of turn or a stop string
  cut_in_reasoning,  // max_tokens reached before an answer began
  cut_in_answer,     // max_tokens reached inside the answer
  rumination,        // budget spent, then all that was left of max_tokens: the answer never came to its end
  context_full,      // the slot's context ran out before max_tokens
  lost_parse,        // the server could not parse what the model wrote (its 500), and the text is gone
  cancelled,         // stopped by us; asked again when the run goes on
  failed,            // transport: the server never gave a whole answer, within bounded retries
};

struct TokenCounts {
  std::int64_t prompt = 0;
  std::int64_t completion = 0;            // all generated, tags and end-of-turn included
  std::optional<std::int64_t> reasoning;  // generated before the answer's first token, tags included
  std::optional<std::int64_t> content;    // completion - reasoning
  bool operator==(const TokenCounts&) const = default;
};

struct Timing {
  double queued_ms = 0;  // from the request to the first byte of the answer
  double total_ms = 0;   // from the request to its end, retries included
  double prompt_ms = 0;  // as the server reports them, 0 where it doesn't
  double predicted_ms = 0;
};

struct Completion {
  TrialId id;
  std::string content;             // what is scored
  std::string reasoning;           // "" if none
  std::optional<std::string> raw;  // tags included, where the runner knows it
  Outcome outcome = Outcome::failed;
  std::string finish_reason;  // as the server said it
  std::string error;          // of `failed`, `lost_parse`
  TokenCounts tokens;
  Timing timing;
  std::uint32_t retries = 0;  // transport faults before this answer
  std::string server_id;      // which server answered
  std::string
      sampled_with;  // JSON object: the sampling fields that the server says it used; "" if it doesn't say
  std::string sampling_mismatch;  // fields in which that differs from what was asked, "" if none
};

}  // namespace gpqa
