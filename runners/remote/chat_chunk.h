// One event of a streamed chat completion (or a whole one, sent at once), read strictly.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "runners/remote/wire_format.h"

namespace gpqa {

// An event that is no chunk of a chat completion (invalid JSON or UTF-8, wrong types, absurd sizes): a fault
// of the transport.
class StreamError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct ChunkTimings {
  std::int64_t prompt_n = 0;                // evaluated for this answer
  std::int64_t cache_n = 0;                 // of the prompt, reused
  std::optional<std::int64_t> predicted_n;  // generated up to here
  double prompt_ms = 0;
  double predicted_ms = 0;
};

struct ChunkUsage {
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
};

struct ChatChunk {
  std::string reasoning;      // what this chunk adds to each
  std::string content;        //
  std::string finish_reason;  // "" until the last but one
  std::optional<ChunkTimings> timings;
  std::optional<ChunkUsage> usage;
  std::optional<ServerError> error;
  bool truncated = false;                          // __verbose: the context was full
  std::optional<std::string> generation_settings;  // __verbose: a JSON object
};

// Throws StreamError. Fields that it doesn't know are checked and passed over; of several choices the first
// is read.
ChatChunk parse_chat_chunk(std::string_view event);

}  // namespace gpqa
