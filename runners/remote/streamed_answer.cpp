#include "runners/remote/streamed_answer.h"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

#include "runners/model_files/reasoning_parser.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

// An empty thought: <|channel> thought \n <channel|>, and a few to spare.
constexpr std::int64_t kTagTokens = 8;

bool holds_tags(std::string_view content) {
  return content.find("<|channel>") != std::string_view::npos ||
         content.find("<think>") != std::string_view::npos ||
         content.find("</think>") != std::string_view::npos;
}

}  // namespace

void StreamedAnswer::count_tokens(const ChatChunk& chunk) {
  if (!chunk.timings || !chunk.timings->predicted_n || (chunk.content.empty() && chunk.reasoning.empty())) {
    return;
  }
  counted_ = true;
  const std::int64_t fresh = std::max<std::int64_t>(predicted_ - counted_until_, 0);
  std::int64_t to_content = 0;
  if (!chunk.content.empty()) {
    const bool thought_ends = part_ == Part::reasoning || !chunk.reasoning.empty();
    if (part_ == Part::content && !thought_ends) {
      to_content = fresh;
    } else if (static_cast<unsigned char>(chunk.content.front()) >= 0x80) {
      // Tokens of the first bytes of a character show nothing; a tag that closes a thought is one token.
      to_content = std::max<std::int64_t>(fresh - (thought_ends ? 1 : 0), std::min<std::int64_t>(fresh, 1));
    } else {
      to_content = std::min<std::int64_t>(fresh, 1);  // tags show nothing: they arrive with the first token
    }
  }
  content_tokens_ += to_content;
  reasoning_tokens_ += fresh - to_content;
  counted_until_ = predicted_;
  part_ = chunk.content.empty() ? Part::reasoning : Part::content;
}

void StreamedAnswer::note_closing_tag(std::size_t added) {
  constexpr std::array<std::string_view, 2> kClosing = {"<channel|>", "</think>"};
  for (const auto tag : kClosing) {
    const std::size_t fresh = std::min(content_.size(), added + tag.size() - 1);
    if (std::string_view(content_).substr(content_.size() - fresh).find(tag) != std::string_view::npos) {
      closed_at_ = predicted_;
    }
  }
}

void StreamedAnswer::add(std::string_view data, const std::function<void(std::string_view)>& on_text) {
  if (data == "[DONE]") {
    done_ = true;
    return;
  }
  ChatChunk chunk = parse_chat_chunk(data);
  if (chunk.error) {
    error_ = std::move(chunk.error);
    return;
  }
  ++chunks_;
  if (chunk.timings) {
    predicted_ = std::max(predicted_, chunk.timings->predicted_n.value_or(0));
    timings_ = *chunk.timings;
  }
  count_tokens(chunk);
  if (chunk.usage) {
    usage_ = *chunk.usage;
  }
  truncated_ = truncated_ || chunk.truncated;
  if (chunk.generation_settings) {
    const auto used = sampled_with(Json::parse(*chunk.generation_settings, nullptr, false));
    sampled_with_ = used.empty() ? "" : used.dump();
  }
  if (!chunk.finish_reason.empty()) {
    finish_reason_ = std::move(chunk.finish_reason);
  }
  reasoning_ += chunk.reasoning;
  content_ += chunk.content;
  if (reasoning_.empty()) {
    note_closing_tag(chunk.content.size());
  }
  for (const auto* text : {&chunk.reasoning, &chunk.content}) {
    if (!text->empty()) {
      on_text(*text);
    }
  }
}

// Tags that the server left in the text. A model that can't think has none: what looks like one is its
// answer.
void StreamedAnswer::split_left_in_tags(const SamplingConfig& sampling, Completion& completion) {
  if (!reasoning_.empty() || sampling.thinking == Thinking::absent || !holds_tags(content_)) {
    return;
  }
  auto split = split_reasoning(content_);
  completion.raw = std::move(content_);
  content_ = std::move(split.content);
  reasoning_ = std::move(split.reasoning);
}

void StreamedAnswer::finish(const SamplingConfig& sampling, const Json& asked, std::int64_t slot_context,
                            Completion& completion) && {
  // A server that doesn't send usage still says both with its timings.
  completion.tokens.prompt =
      usage_.prompt_tokens > 0 ? usage_.prompt_tokens : timings_.prompt_n + timings_.cache_n;
  completion.tokens.completion = std::max(usage_.completion_tokens, predicted_);
  split_left_in_tags(sampling, completion);
  if (content_.empty()) {
    completion.tokens.reasoning = completion.tokens.completion;
    completion.tokens.content = 0;
  } else if (completion.raw && closed_at_ > 0) {
    completion.tokens.reasoning = closed_at_;
    completion.tokens.content = completion.tokens.completion - closed_at_;
  } else if (counted_ && !completion.raw && (!reasoning_.empty() || reasoning_tokens_ <= kTagTokens)) {
    // What came after the last visible token (the end of the turn) belongs to the part it ended.
    const std::int64_t rest = completion.tokens.completion - counted_until_;
    completion.tokens.reasoning = reasoning_tokens_ + (part_ == Part::reasoning ? rest : 0);
    completion.tokens.content = content_tokens_ + (part_ == Part::content ? rest : 0);
  } else if (reasoning_.empty()) {
    completion.tokens.reasoning = 0;
    completion.tokens.content = completion.tokens.completion;
  }
  completion.finish_reason = std::move(finish_reason_);
  completion.outcome = classify_ending({.finish_reason = completion.finish_reason,
                                        .has_content = !content_.empty(),
                                        .truncated = truncated_,
                                        .tokens = completion.tokens},
                                       sampling, slot_context);
  completion.content = std::move(content_);
  completion.reasoning = std::move(reasoning_);
  completion.timing.prompt_ms = timings_.prompt_ms;
  completion.timing.predicted_ms = timings_.predicted_ms;
  if (!sampled_with_.empty()) {
    completion.sampling_mismatch = sampling_mismatch(asked, Json::parse(sampled_with_));
    completion.sampled_with = std::move(sampled_with_);
  }
}

}  // namespace gpqa
