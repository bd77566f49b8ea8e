#include "runners/remote/streamed_answer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/model_files/reasoning_parser.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

const Json* find(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::int64_t count_at(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr) {
    return 0;
  }
  if (!value->is_number_integer() || value->get<std::int64_t>() < 0) {
    throw StreamError(fmt::format("\"{}\": expected a count, found {}", key, value->dump().substr(0, 40)));
  }
  return value->get<std::int64_t>();
}

double number_at(const Json& object, const char* key) {
  const Json* value = find(object, key);
  return value != nullptr && value->is_number() ? value->get<double>() : 0;
}

std::string_view text_at(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr) {
    return "";
  }
  if (!value->is_string()) {
    throw StreamError(fmt::format("\"{}\": expected a string, found {}", key, value->type_name()));
  }
  return value->get_ref<const std::string&>();
}

bool holds_tags(std::string_view content) {
  return content.find("<|channel>") != std::string_view::npos ||
         content.find("<think>") != std::string_view::npos ||
         content.find("</think>") != std::string_view::npos;
}

}  // namespace

void StreamedAnswer::count_tokens(Part part) {
  if (!chunk_counts_) {
    return;
  }
  counted_ = true;
  const std::int64_t fresh = std::max<std::int64_t>(predicted_ - counted_until_, 0);
  // The token that ends a thought shows nothing; it arrives with the answer's first one.
  const bool answer_begins = part == Part::content && part_ != Part::content;
  const std::int64_t to_content =
      part == Part::content ? (answer_begins ? std::min<std::int64_t>(fresh, 1) : fresh) : 0;
  content_tokens_ += to_content;
  reasoning_tokens_ += fresh - to_content;
  counted_until_ = predicted_;
  part_ = part;
}

void StreamedAnswer::add_delta(const Json& delta, const std::function<void(std::string_view)>& on_text) {
  if (const auto text = text_at(delta, "reasoning_content"); !text.empty()) {
    reasoning_ += text;
    count_tokens(Part::reasoning);
    on_text(text);
  }
  if (const auto text = text_at(delta, "content"); !text.empty()) {
    content_ += text;
    count_tokens(Part::content);
    on_text(text);
  }
}

void StreamedAnswer::add(std::string_view data, const std::function<void(std::string_view)>& on_text) {
  if (data == "[DONE]") {
    done_ = true;
    return;
  }
  const Json chunk = Json::parse(data, nullptr, false);
  if (!chunk.is_object()) {
    throw StreamError("an event that is no JSON object (or not UTF-8)");
  }
  if ((error_ = parse_error(chunk))) {
    return;
  }
  ++chunks_;
  chunk_counts_ = false;
  if (const Json* timings = find(chunk, "timings"); timings != nullptr && timings->is_object()) {
    predicted_ = std::max(predicted_, count_at(*timings, "predicted_n"));
    chunk_counts_ = true;
    prompt_ms_ = number_at(*timings, "prompt_ms");
    predicted_ms_ = number_at(*timings, "predicted_ms");
  }
  if (const Json* choices = find(chunk, "choices")) {
    if (!choices->is_array() || (!choices->empty() && !choices->front().is_object())) {
      throw StreamError("\"choices\": expected an array of objects");
    }
    if (!choices->empty()) {
      const Json& choice = choices->front();
      if (const Json* delta = find(choice, "delta")) {
        if (!delta->is_object()) {
          throw StreamError("\"delta\": expected an object");
        }
        add_delta(*delta, on_text);
      }
      if (const auto reason = text_at(choice, "finish_reason"); !reason.empty()) {
        finish_reason_ = reason;
      }
    }
  }
  if (const Json* usage = find(chunk, "usage"); usage != nullptr && usage->is_object()) {
    usage_.prompt = count_at(*usage, "prompt_tokens");
    usage_.completion = count_at(*usage, "completion_tokens");
  }
  if (const Json* verbose = find(chunk, "__verbose"); verbose != nullptr && verbose->is_object()) {
    if (const Json* truncated = find(*verbose, "truncated");
        truncated != nullptr && truncated->is_boolean()) {
      truncated_ = truncated->get<bool>();
    }
    if (const Json* settings = find(*verbose, "generation_settings")) {
      sampled_with_ = sampled_with(*settings).dump();
    }
  }
}

Outcome classify_ending(const Ending& ending, const SamplingConfig& sampling, std::int64_t slot_context) {
  if (ending.finish_reason != "length") {
    return Outcome::stop;
  }
  const bool all_used = ending.tokens.completion >= sampling.max_tokens;
  const bool slot_full = slot_context > 0 && ending.tokens.prompt + ending.tokens.completion >= slot_context;
  if (!all_used && (ending.truncated || slot_full)) {
    return Outcome::context_full;
  }
  if (!ending.has_content) {
    return Outcome::cut_in_reasoning;
  }
  // Thinking took its whole budget (the tags come on top) and the answer all that was left.
  const bool budget_spent =
      sampling.reasoning_budget && *sampling.reasoning_budget >= 0 &&
      sampling.thinking == Thinking::required &&
      ending.tokens.reasoning.value_or(0) >= std::max<std::int64_t>(*sampling.reasoning_budget, 1);
  return budget_spent && all_used ? Outcome::rumination : Outcome::cut_in_answer;
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
  completion.tokens = usage_;
  completion.tokens.completion = std::max(usage_.completion, predicted_);
  split_left_in_tags(sampling, completion);
  if (content_.empty()) {
    completion.tokens.reasoning = completion.tokens.completion;
    completion.tokens.content = 0;
  } else if (reasoning_.empty()) {
    completion.tokens.reasoning = 0;
    completion.tokens.content = completion.tokens.completion;
  } else if (counted_ && !completion.raw) {
    // What came after the last visible token (the end of the turn) belongs to the part it ended.
    const std::int64_t rest = completion.tokens.completion - counted_until_;
    completion.tokens.reasoning = reasoning_tokens_ + (part_ == Part::reasoning ? rest : 0);
    completion.tokens.content = content_tokens_ + (part_ == Part::content ? rest : 0);
  }
  completion.finish_reason = std::move(finish_reason_);
  completion.outcome = classify_ending({.finish_reason = completion.finish_reason,
                                        .has_content = !content_.empty(),
                                        .truncated = truncated_,
                                        .tokens = completion.tokens},
                                       sampling, slot_context);
  completion.content = std::move(content_);
  completion.reasoning = std::move(reasoning_);
  completion.timing.prompt_ms = prompt_ms_;
  completion.timing.predicted_ms = predicted_ms_;
  if (!sampled_with_.empty()) {
    completion.sampling_mismatch = sampling_mismatch(asked, Json::parse(sampled_with_));
    completion.sampled_with = std::move(sampled_with_);
  }
}

}  // namespace gpqa
