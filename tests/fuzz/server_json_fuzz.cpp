// What a server says: each line of the input an event's data, then the whole of it as a body.
#include <string>

#include <nlohmann/json.hpp>

#include "prompts/utf8.h"
#include "runners/completion.h"
#include "runners/remote/server_calls.h"
#include "runners/remote/streamed_answer.h"
#include "runners/remote/wire_format.h"
#include "runners/sampling_config.h"
#include "tests/fuzz/fuzz.h"

namespace gpqa::fuzz {
namespace {

using Json = nlohmann::ordered_json;

SamplingConfig sampling_of(std::uint8_t choice) {
  SamplingConfig sampling;
  sampling.temperature = 1;
  sampling.top_k = 64;
  sampling.samplers = {"top_k", "temperature"};
  sampling.cache_prompt = true;
  sampling.max_tokens = 1 + choice / 16;
  sampling.stop = {"</s>"};
  sampling.thinking = choice % 4 == 0   ? Thinking::absent
                      : choice % 4 == 1 ? Thinking::off
                                        : Thinking::required;
  if (choice % 8 >= 4) sampling.reasoning_budget = 3;
  return sampling;
}

bool is_count(const std::optional<std::int64_t>& count) {
  return count.value_or(0) >= 0;
}

void check_completion(const Completion& completion) {
  for (const auto* text : {&completion.content, &completion.reasoning, &completion.finish_reason}) {
    must(is_valid_utf8(*text), "what is kept is UTF-8");
  }
  must(is_valid_utf8(completion.raw.value_or("")), "the raw text is UTF-8");
  const auto& tokens = completion.tokens;
  must(tokens.prompt >= 0 && tokens.completion >= 0, "tokens are counted from 0");
  must(is_count(tokens.reasoning) && is_count(tokens.content), "tokens of a part are counted from 0");
  must(!tokens.reasoning || !tokens.content || *tokens.reasoning + *tokens.content == tokens.completion,
       "the parts' tokens add up");
  must(completion.sampled_with.empty() || Json::parse(completion.sampled_with).is_object(),
       "how it sampled is an object");
  must(completion.outcome != Outcome::failed && completion.outcome != Outcome::cancelled,
       "how an answer ended is the model's doing");
}

void check_stream(std::string_view lines, std::uint8_t choice) {
  const auto sampling = sampling_of(choice);
  StreamedAnswer answer;
  std::size_t heard = 0;
  while (!lines.empty() && !answer.done() && !answer.error()) {
    const auto line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    const bool taken = unless_refused<StreamError>([&] {
                         answer.add(line, [&](std::string_view text) { heard += text.size(); });
                         return true;
                       }).has_value();
    if (!taken) return;
  }
  must(heard == answer.text_bytes(), "all text is heard");
  must(answer.tokens_so_far() >= 0, "tokens are counted from 0");
  constexpr std::int64_t kSlot = 64;
  Completion completion;
  std::move(answer).finish(sampling, sampling_fields(sampling, 1), choice >= 128 ? kSlot : 0, completion);
  check_completion(completion);
}

void check_error(const ServerError& error) {
  constexpr std::size_t kLongest = 500;
  must(is_valid_utf8(error.message) && is_valid_utf8(error.type), "an error's words are UTF-8");
  must(error.message.size() <= kLongest && error.type.size() <= kLongest, "an error's words are cut short");
  classify(error);
}

void check_body(std::string_view body) {
  check_error(error_of_body(500, body));
  // As server_calls.cpp bounds it.
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= 32; };
  const auto json = Json::parse(body, shallow, false);
  if (json.is_discarded()) return;
  if (const auto error = parse_error(json)) check_error(*error);
  for (const char* key : {"error", "default_generation_settings", "choices", "id"}) {
    const auto& member = member_of(json, key);
    text_of(member, "message");
    integer_of(member, "n_ctx");
    integer_of(json, key);
  }
  const auto used = sampled_with(json);
  must(is_valid_utf8(sampling_mismatch(sampling_fields(sampling_of(7), 1), used)), "a mismatch is UTF-8");
}

}  // namespace
}  // namespace gpqa::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpqa::fuzz;
  auto input = input_of(data, size);
  const auto choice = take_byte(input);
  check_stream(input, choice);
  check_body(input);
  return 0;
}
