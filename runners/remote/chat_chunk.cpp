#include "runners/remote/chat_chunk.h"

#include <simdjson.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gpqa {
namespace {

using simdjson::dom::element;

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxFinishReason = 64;
constexpr std::size_t kMaxSettings = 1u << 20;
constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;
constexpr std::size_t kMaxError = 64u << 10;

// Keeps its buffers from event to event.
simdjson::dom::parser make_parser() {
  simdjson::dom::parser parser;
  if (const auto error = parser.allocate(64u << 10, kMaxDepth)) {
    throw std::runtime_error(fmt::format("simdjson: {}", simdjson::error_message(error)));
  }
  return parser;
}

// False for a null, which tells nothing; another kind is refused.
template <class T>
bool read(element value, T& out, const char* name, const char* kind) {
  if (value.is_null()) {
    return false;
  }
  if (value.get(out) != simdjson::SUCCESS) {
    throw StreamError(fmt::format("\"{}\": expected {}", name, kind));
  }
  return true;
}

void read_text(element value, const char* name, std::string& text) {
  if (std::string_view found; read(value, found, name, "a string")) {
    text = found;
  }
}

std::optional<std::int64_t> read_count(element value, const char* name) {
  std::int64_t count = 0;
  if (!read(value, count, name, "a count")) {
    return std::nullopt;
  }
  if (count < 0 || count > kMaxCount) {
    throw StreamError(fmt::format("\"{}\": expected a count", name));
  }
  return count;
}

// Where another kind tells nothing and does no harm.
template <class T>
T value_or(element value, T fallback) {
  T found{};
  return value.get(found) == simdjson::SUCCESS ? found : fallback;
}

std::string written(element value, std::size_t max_bytes, const char* name) {
  std::string text = simdjson::minify(value);
  if (text.size() > max_bytes) {
    throw StreamError(fmt::format("\"{}\": absurdly long", name));
  }
  return text;
}

void read_choice(element value, ChatChunk& chunk) {
  simdjson::dom::object choice;
  if (!read(value, choice, "choices", "objects")) {
    return;
  }
  for (const auto [key, member] : choice) {
    if (key == "finish_reason") {
      read_text(member, "finish_reason", chunk.finish_reason);
      if (chunk.finish_reason.size() > kMaxFinishReason) {
        throw StreamError("\"finish_reason\": expected a word");
      }
    } else if (key == "delta" || key == "message") {
      simdjson::dom::object delta;
      if (!read(member, delta, "delta", "an object")) {
        continue;
      }
      for (const auto [part, text] : delta) {
        if (part == "content") {
          read_text(text, "content", chunk.content);
        } else if (part == "reasoning_content") {
          read_text(text, "reasoning_content", chunk.reasoning);
        }
      }
    }
  }
}

void read_choices(element value, ChatChunk& chunk) {
  simdjson::dom::array choices;
  if (read(value, choices, "choices", "an array") && choices.begin() != choices.end()) {
    read_choice(*choices.begin(), chunk);
  }
}

void read_timings(simdjson::dom::object members, ChatChunk& chunk) {
  auto& timings = chunk.timings.emplace();
  for (const auto [key, value] : members) {
    if (key == "predicted_n") {
      timings.predicted_n = read_count(value, "predicted_n");
    } else if (key == "prompt_n") {
      timings.prompt_n = read_count(value, "prompt_n").value_or(0);
    } else if (key == "cache_n") {
      timings.cache_n = read_count(value, "cache_n").value_or(0);
    } else if (key == "prompt_ms") {
      timings.prompt_ms = value_or(value, 0.0);
    } else if (key == "predicted_ms") {
      timings.predicted_ms = value_or(value, 0.0);
    }
  }
}

void read_usage(simdjson::dom::object members, ChatChunk& chunk) {
  auto& usage = chunk.usage.emplace();
  for (const auto [key, value] : members) {
    if (key == "prompt_tokens") {
      usage.prompt_tokens = read_count(value, "prompt_tokens").value_or(0);
    } else if (key == "completion_tokens") {
      usage.completion_tokens = read_count(value, "completion_tokens").value_or(0);
    }
  }
}

void read_verbose(simdjson::dom::object members, ChatChunk& chunk) {
  for (const auto [key, value] : members) {
    if (key == "truncated") {
      chunk.truncated = value_or(value, false);
    } else if (key == "generation_settings" && value.is_object()) {
      chunk.generation_settings = written(value, kMaxSettings, "generation_settings");
    }
  }
}

// Rare, so the text is read once more: errors come as bodies, too.
ServerError read_error(element value) {
  nlohmann::ordered_json object;
  object["error"] = nlohmann::ordered_json::parse(written(value, kMaxError, "error"), nullptr, false);
  return *parse_error(object);
}

}  // namespace

ChatChunk parse_chat_chunk(std::string_view event) {
  thread_local simdjson::dom::parser parser = make_parser();
  simdjson::dom::object members;
  if (const auto error = parser.parse(event.data(), event.size()).get(members); error != simdjson::SUCCESS) {
    throw StreamError(fmt::format("an event that is no chat chunk: {}", simdjson::error_message(error)));
  }
  ChatChunk chunk;
  for (const auto [key, value] : members) {
    simdjson::dom::object object;
    const bool is_object = value.get(object) == simdjson::SUCCESS;
    if (key == "choices") {
      read_choices(value, chunk);
    } else if (key == "timings" && is_object) {
      read_timings(object, chunk);
    } else if (key == "usage" && is_object) {
      read_usage(object, chunk);
    } else if (key == "__verbose" && is_object) {
      read_verbose(object, chunk);
    } else if (key == "error" && !value.is_null()) {
      chunk.error = read_error(value);
    }
  }
  return chunk;
}

}  // namespace gpqa
