#include "runners/embedded/embedded_answer.h"

#include <algorithm>

#include "prompts/utf8.h"
#include "runners/ending.h"
#include "runners/model_files/reasoning_parser.h"

namespace gpqa {

EmbeddedAnswer::EmbeddedAnswer(const ChatModel& chat, const SamplingConfig& sampling,
                               std::int64_t prompt_tokens)
    : chat_(chat), sampling_(sampling) {
  tokens_.prompt = prompt_tokens;
}

bool EmbeddedAnswer::add(TokenId token) {
  last_token_ = Clock::now();
  if (tokens_.completion == 0) first_token_ = last_token_;
  ++tokens_.completion;
  shown_ = {};
  const bool tag = token == chat_.thought_opens() || token == chat_.thought_closes();
  if (token == chat_.thought_opens()) in_thought_ = true;
  if (in_thought_ || token == chat_.thought_closes()) ++reasoning_tokens_;
  if (token == chat_.thought_closes()) in_thought_ = false;
  if (chat_.tokenizer().is_end_of_generation(token)) return false;
  if (chat_.tokenizer().is_special(token)) return true;  // llama-server prints no control tokens
  const auto piece = chat_.tokenizer().piece(token);
  raw_ += piece;
  if (!tag) shown_ = piece;
  return !cut_at_stop_string(piece.size());
}

bool EmbeddedAnswer::cut_at_stop_string(std::size_t added) {
  auto first = std::string::npos;
  for (const auto& stop : sampling_.stop) {
    if (stop.empty()) continue;
    const std::size_t back = std::min(raw_.size(), added + stop.size());
    first = std::min(first, raw_.find(stop, raw_.size() - back));
  }
  if (first == std::string::npos) return false;
  raw_.resize(first);
  return true;
}

Completion EmbeddedAnswer::finish(SequenceEnd end, const std::string& error, std::int64_t cells) const {
  const auto ms = [](Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
  };
  Completion completion;
  completion.tokens = tokens_;
  completion.error = error;
  completion.timing.total_ms = ms(asked_, Clock::now());
  if (tokens_.completion > 0) {
    completion.timing.queued_ms = completion.timing.prompt_ms = ms(asked_, first_token_);
    completion.timing.predicted_ms = ms(first_token_, last_token_);
  }
  if (end == SequenceEnd::cancelled || end == SequenceEnd::failed) {
    completion.outcome = end == SequenceEnd::cancelled ? Outcome::cancelled : Outcome::failed;
    return completion;
  }
  // A token may be part of a character; the answer may end there.
  const std::string raw = with_valid_utf8(raw_);
  completion.raw = raw;
  completion.finish_reason = end == SequenceEnd::stopped ? "stop" : "length";
  const bool in_tags = sampling_.reasoning_format.value_or("deepseek") == "none";
  auto split = in_tags || sampling_.thinking == Thinking::absent ? SplitText{.reasoning = "", .content = raw}
                                                                 : split_gemma4(raw);
  if (!split.parsed && sampling_.thinking == Thinking::required) {
    completion.outcome = Outcome::lost_parse;
    completion.error =
        "the text is not in the model's format (a channel that is no thought): llama-server loses it";
    return completion;
  }
  completion.content = std::move(split.content);
  completion.reasoning = std::move(split.reasoning);
  const auto reasoning = completion.content.empty() ? tokens_.completion : reasoning_tokens_;
  completion.tokens.reasoning = reasoning;
  completion.tokens.content = tokens_.completion - reasoning;
  completion.outcome = classify_ending({.finish_reason = completion.finish_reason,
                                        .has_content = !completion.content.empty(),
                                        .truncated = end == SequenceEnd::context_full,
                                        .tokens = completion.tokens},
                                       sampling_, cells);
  return completion;
}

}  // namespace gpqa
