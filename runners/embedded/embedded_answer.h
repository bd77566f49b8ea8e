// One answer of the engine as it is written, token by token, until it is a Completion as a server would give
// it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runners/completion.h"
#include "runners/embedded/chat_model.h"
#include "runners/embedded/engine/scheduler.h"
#include "runners/sampling_config.h"

namespace gpqa {

class EmbeddedAnswer {
 public:
  // Chat and sampling must outlive it.
  EmbeddedAnswer(const ChatModel& chat, const SamplingConfig& sampling, std::int64_t prompt_tokens);

  // False where it ends: an end of turn, or a stop string (what follows it is cut off).
  bool add(TokenId token);
  // What the last token added to the text that people see; "" for tags and ends.
  std::string_view shown() const { return shown_; }

  // `cells`: of the slot. The text becomes valid UTF-8.
  Completion finish(SequenceEnd end, const std::string& error, std::int64_t cells) const;

 private:
  using Clock = std::chrono::steady_clock;
  bool cut_at_stop_string(std::size_t added);

  const ChatModel& chat_;
  const SamplingConfig& sampling_;
  TokenCounts tokens_;
  std::int64_t reasoning_tokens_ = 0;  // tags included
  bool in_thought_ = false;
  std::string raw_;
  std::string_view shown_;
  Clock::time_point asked_ = Clock::now();
  Clock::time_point first_token_;
  Clock::time_point last_token_;
};

}  // namespace gpqa
