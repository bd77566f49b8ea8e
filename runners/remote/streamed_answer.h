// One answer as it streams in, chunk by chunk, until it is a Completion.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "runners/completion.h"
#include "runners/ending.h"
#include "runners/remote/chat_chunk.h"
#include "runners/remote/wire_format.h"
#include "runners/sampling_config.h"

namespace gpqa {

class StreamedAnswer {
 public:
  // Reads the data of one event, or of none (StreamError); hears its text as it comes.
  void add(std::string_view data, const std::function<void(std::string_view)>& on_text);

  bool done() const { return done_; }                                 // [DONE] came
  const std::optional<ServerError>& error() const { return error_; }  // an error event came
  bool has_finish_reason() const { return !finish_reason_.empty(); }
  std::size_t text_bytes() const { return content_.size() + reasoning_.size(); }
  std::int64_t tokens_so_far() const { return std::max(predicted_, chunks_); }

  // Moves the text into `completion` and says how it ended. `slot_context` 0: unknown.
  // `asked` as sampling_fields sent it.
  void finish(const SamplingConfig& sampling, const nlohmann::ordered_json& asked, std::int64_t slot_context,
              Completion& completion) &&;

 private:
  enum class Part { none, reasoning, content };
  void count_tokens(const ChatChunk& chunk);
  void note_closing_tag(std::size_t added);
  void split_left_in_tags(const SamplingConfig& sampling, Completion& completion);

  std::string content_;
  std::string reasoning_;
  std::string finish_reason_;
  std::string sampled_with_;  // JSON of generation_settings
  std::optional<ServerError> error_;
  bool done_ = false;
  bool truncated_ = false;
  bool counted_ = false;        // chunks with text said how many tokens they end at
  std::int64_t predicted_ = 0;  // timings.predicted_n of the latest chunk
  std::int64_t counted_until_ = 0;
  std::int64_t chunks_ = 0;
  std::int64_t closed_at_ = 0;  // tokens up to the last closing tag that was left in the content
  std::int64_t reasoning_tokens_ = 0;
  std::int64_t content_tokens_ = 0;
  Part part_ = Part::none;
  ChunkUsage usage_;
  ChunkTimings timings_;
};

}  // namespace gpqa
