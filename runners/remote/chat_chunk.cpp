#include "runners/remote/chat_chunk.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/remote/json_reader.h"

namespace gpqa {
namespace {

using Kind = JsonReader::Kind;

constexpr std::size_t kMaxFinishReason = 64;
constexpr std::size_t kMaxSettings = 1u << 20;
constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;
constexpr std::size_t kMaxError = 64u << 10;

// Reads what is of the kind, passes over a null, and refuses the rest.
bool expect(JsonReader& json, Kind kind, const char* name, const char* kind_name) {
  const Kind found = json.kind();
  if (found == kind) {
    return true;
  }
  if (found != Kind::null) {
    throw StreamError(fmt::format("\"{}\": expected {}", name, kind_name));
  }
  json.skip();
  return false;
}

// As above where another kind tells nothing and does no harm.
bool is(JsonReader& json, Kind kind) {
  if (json.kind() == kind) {
    return true;
  }
  json.skip();
  return false;
}

void read_text(JsonReader& json, const char* name, std::string& text) {
  if (expect(json, Kind::string, name, "a string")) {
    text = json.string();
  }
}

std::optional<std::int64_t> read_count(JsonReader& json, const char* name) {
  if (!expect(json, Kind::number, name, "a count")) {
    return std::nullopt;
  }
  const auto count = to_integer(json.number());
  if (!count || *count < 0 || *count > kMaxCount) {
    throw StreamError(fmt::format("\"{}\": expected a count", name));
  }
  return count;
}

double read_number(JsonReader& json) {
  return is(json, Kind::number) ? to_double(json.number()) : 0;
}

void read_delta(JsonReader& json, ChatChunk& chunk) {
  json.object([&](std::string_view key) {
    if (key == "content") {
      read_text(json, "content", chunk.content);
    } else if (key == "reasoning_content") {
      read_text(json, "reasoning_content", chunk.reasoning);
    } else {
      json.skip();
    }
  });
}

void read_choice(JsonReader& json, ChatChunk& chunk) {
  json.object([&](std::string_view key) {
    if (key == "finish_reason") {
      read_text(json, "finish_reason", chunk.finish_reason);
      if (chunk.finish_reason.size() > kMaxFinishReason) {
        throw StreamError("\"finish_reason\": expected a word");
      }
    } else if (key == "delta" || key == "message") {
      if (expect(json, Kind::object, "delta", "an object")) {
        read_delta(json, chunk);
      }
    } else {
      json.skip();
    }
  });
}

void read_choices(JsonReader& json, ChatChunk& chunk) {
  if (!expect(json, Kind::array, "choices", "an array")) {
    return;
  }
  bool first = true;
  json.array([&] {
    if (!first) {
      json.skip();
    } else if (expect(json, Kind::object, "choices", "objects")) {
      read_choice(json, chunk);
    }
    first = false;
  });
}

void read_timings(JsonReader& json, ChatChunk& chunk) {
  auto& timings = chunk.timings.emplace();
  json.object([&](std::string_view key) {
    if (key == "predicted_n") {
      timings.predicted_n = read_count(json, "predicted_n");
    } else if (key == "prompt_n") {
      timings.prompt_n = read_count(json, "prompt_n").value_or(0);
    } else if (key == "cache_n") {
      timings.cache_n = read_count(json, "cache_n").value_or(0);
    } else if (key == "prompt_ms") {
      timings.prompt_ms = read_number(json);
    } else if (key == "predicted_ms") {
      timings.predicted_ms = read_number(json);
    } else {
      json.skip();
    }
  });
}

void read_usage(JsonReader& json, ChatChunk& chunk) {
  auto& usage = chunk.usage.emplace();
  json.object([&](std::string_view key) {
    if (key == "prompt_tokens") {
      usage.prompt_tokens = read_count(json, "prompt_tokens").value_or(0);
    } else if (key == "completion_tokens") {
      usage.completion_tokens = read_count(json, "completion_tokens").value_or(0);
    } else {
      json.skip();
    }
  });
}

void read_verbose(JsonReader& json, ChatChunk& chunk) {
  json.object([&](std::string_view key) {
    if (key == "truncated") {
      chunk.truncated = is(json, Kind::boolean) && json.boolean();
    } else if (key == "generation_settings" && json.kind() == Kind::object) {
      chunk.generation_settings = json.skip();
      if (chunk.generation_settings->size() > kMaxSettings) {
        throw StreamError("\"generation_settings\": absurdly long");
      }
    } else {
      json.skip();
    }
  });
}

// Rare, so a tree does: the reader has bounded its depth.
ServerError read_error(JsonReader& json) {
  const std::string_view text = json.skip();
  if (text.size() > kMaxError) {
    throw StreamError("\"error\": absurdly long");
  }
  nlohmann::ordered_json object;
  object["error"] = nlohmann::ordered_json::parse(text, nullptr, false);
  return *parse_error(object);
}

ChatChunk read_chunk(JsonReader& json) {
  ChatChunk chunk;
  json.object([&](std::string_view key) {
    if (key == "choices") {
      read_choices(json, chunk);
    } else if (key == "timings" && json.kind() == Kind::object) {
      read_timings(json, chunk);
    } else if (key == "usage" && json.kind() == Kind::object) {
      read_usage(json, chunk);
    } else if (key == "__verbose" && json.kind() == Kind::object) {
      read_verbose(json, chunk);
    } else if (key == "error" && json.kind() != Kind::null) {
      chunk.error = read_error(json);
    } else {
      json.skip();
    }
  });
  json.end();
  return chunk;
}

}  // namespace

ChatChunk parse_chat_chunk(std::string_view event) {
  JsonReader json(event);
  try {
    return read_chunk(json);
  } catch (const JsonError& error) {
    throw StreamError(fmt::format("an event that is no chat chunk: {}", error.what()));
  }
}

}  // namespace gpqa
