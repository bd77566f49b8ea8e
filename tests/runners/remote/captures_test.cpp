// What a real llama-server (b11434) answered, byte for byte.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <nlohmann/json.hpp>

#include "runners/remote/sse_reader.h"
#include "runners/remote/streamed_answer.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;
const std::filesystem::path kCaptures = GPQA_TEST_DATA "/llama-server";

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A stream's events, or a whole answer at once.
StreamedAnswer answer_of(const std::string& body) {
  StreamedAnswer answer;
  const auto ignore = [](std::string_view) {};
  if (!body.starts_with("data:")) {
    answer.add(body, ignore);
    return answer;
  }
  SseReader reader;
  reader.feed(body, [&](std::string_view event) {
    answer.add(event, ignore);
    return true;
  });
  return answer;
}

Completion completion_of(const std::string& name, std::int64_t max_tokens = 100000,
                         std::int64_t budget = 8192) {
  SamplingConfig sampling;
  sampling.max_tokens = max_tokens;
  sampling.reasoning_budget = budget;
  Completion completion;
  answer_of(read(kCaptures / (name + ".body"))).finish(sampling, sampling_fields(sampling, 1), 0, completion);
  return completion;
}

TEST_CASE("every captured body is read, and none of them throws") {
  int bodies = 0;
  int chats = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kCaptures)) {
    if (entry.path().extension() != ".body") {
      continue;
    }
    ++bodies;
    INFO(entry.path());
    const auto body = read(entry.path());
    if (!body.starts_with("data:") && !Json::parse(body, nullptr, false).is_object()) {
      continue;  // metrics, arrays
    }
    const auto answer = answer_of(body);
    chats += answer.has_finish_reason() ? 1 : 0;
    CHECK((answer.has_finish_reason() || answer.error() || answer.text_bytes() == 0));
  }
  CHECK(bodies == 74);
  CHECK(chats > 25);
}

TEST_CASE("captured endings are what they were") {
  struct Expected {
    const char* name;
    std::int64_t max_tokens;
    Outcome outcome;
    const char* content;
  };
  const char* right = "The correct answer is (C).";
  const char* budget = "The correct answer is (A).";
  for (const auto& [name, max_tokens, outcome, content] :
       std::vector<Expected>{{"budget0_request", 100, Outcome::stop, right},
                             {"budget16_hit", 100, Outcome::stop, budget},
                             {"budget16_hit_msg", 100, Outcome::stop, right},
                             {"budget16_message", 100, Outcome::stop, right},
                             {"budget16_request", 100, Outcome::stop, right},
                             {"budget16_thinking_alias", 100, Outcome::stop, right},
                             {"server_budget16", 100, Outcome::stop, budget},
                             {"server_budget_minus1_request", 100, Outcome::stop, budget},
                             {"chat_pinned", 100, Outcome::stop, right},
                             {"chat_nonstream_verbose", 100, Outcome::stop, budget},
                             {"chat_stream_usage", 100, Outcome::stop, budget},
                             {"thinking_off", 100, Outcome::stop, right},
                             {"reasoning_format_none", 100, Outcome::stop, right},
                             {"parse_bad_channel_late", 100, Outcome::stop, "Answer: A"},
                             {"parse_no_thought", 100, Outcome::stop, "Answer: A"},
                             {"parse_second_block", 100, Outcome::stop, "Answer: A then B"},
                             {"parse_unmatched_close", 100, Outcome::stop, "Answer: A"},
                             {"parse_ws", 100, Outcome::stop, "\n\nAnswer: A \n"},
                             {"parse_eog_in_thinking", 100, Outcome::stop, ""},
                             {"stop_word", 100, Outcome::stop, ""},
                             {"ctx_full", 1000, Outcome::context_full, ""},
                             {"cut_at_1", 1, Outcome::cut_in_reasoning, ""},
                             {"cut_at_2", 2, Outcome::cut_in_reasoning, ""},
                             {"cut_at_2_stream", 2, Outcome::cut_in_reasoning, ""},
                             {"cut_at_3", 3, Outcome::cut_in_reasoning, ""},
                             {"max_tokens_0", 0, Outcome::cut_in_reasoning, ""},
                             {"cut_in_reasoning", 12, Outcome::cut_in_reasoning, ""},
                             {"cut_in_reasoning_stream", 6, Outcome::cut_in_reasoning, ""},
                             {"ggufsampling_chat", 200, Outcome::cut_in_reasoning, ""},
                             {"logprobs", 4, Outcome::cut_in_reasoning, ""},
                             {"n2", 12, Outcome::cut_in_reasoning, ""},
                             {"ping", 100, Outcome::cut_in_reasoning, ""},
                             {"stream_progress", 100, Outcome::cut_in_reasoning, ""},
                             {"unknown_field_ignored", 8, Outcome::cut_in_reasoning, ""}}) {
    INFO(name);
    const auto completion = completion_of(name, max_tokens);
    CHECK(completion.outcome == outcome);
    CHECK(completion.content == content);
  }
  CHECK(completion_of("moe_chat", 24).outcome == Outcome::cut_in_answer);
  CHECK(completion_of("cut_at_2", 2).raw == "<|channel>thought");
  for (const char* torn : {"disconnect_stream", "kv_exhaust_3", "kv_exhaust_4", "parse_bad_channel_stream"}) {
    INFO(torn);
    const auto answer = answer_of(read(kCaptures / (std::string(torn) + ".body")));
    CHECK_FALSE(answer.has_finish_reason());
    CHECK_FALSE(answer.done());
  }
}

TEST_CASE("captured text comes through whole, tags left in are split") {
  CHECK(completion_of("budget16_hit").content == "The correct answer is (A).");
  CHECK(completion_of("budget16_hit").reasoning ==
        "Let us compare hold the and with care hold true energy with can hold true");
  const auto none = completion_of("reasoning_format_none");
  CHECK(none.reasoning.starts_with("Let"));
  CHECK(none.content.find("<|channel>") == std::string::npos);
  CHECK(none.raw.has_value());
}

TEST_CASE("captured streams count their tokens") {
  const auto done = completion_of("chat_stream_usage");
  CHECK(done.tokens.prompt == 38);
  CHECK(done.tokens.completion == 64);
  CHECK_FALSE(done.tokens.reasoning.has_value());  // captured without timings_per_token
  CHECK(done.timing.predicted_ms == Approx(296.01));
}

// The tiny Gemma 4 spells the opening tag with 5 tokens. A second, whole answer to the same request gave the
// token ids, and with them the place of the closing one.
TEST_CASE("captured streams with timings count reasoning and answer exactly") {
  struct Expected {
    const char* name;
    std::int64_t max_tokens;
    std::int64_t budget;
    Outcome outcome;
    std::int64_t reasoning;
    std::int64_t content;
  };
  for (const auto& [name, max_tokens, budget, outcome, reasoning, content] :
       std::vector<Expected>{{"timed_answered", 40, 16, Outcome::stop, 22, 15},
                             {"timed_ruminates", 30, 16, Outcome::rumination, 22, 8},
                             {"timed_cut_in_thought", 12, 16, Outcome::cut_in_reasoning, 12, 0},
                             {"timed_empty_thought", 30, 0, Outcome::cut_in_answer, 6, 24}}) {
    INFO(name);
    SamplingConfig sampling;
    sampling.max_tokens = max_tokens;
    sampling.reasoning_budget = budget;
    Completion completion;
    answer_of(read(kCaptures / (std::string(name) + ".sse")))
        .finish(sampling, sampling_fields(sampling, 3), 4096, completion);
    CHECK(completion.outcome == outcome);
    CHECK(completion.tokens.completion == reasoning + content);
    CHECK(completion.tokens.reasoning == reasoning);
    CHECK(completion.tokens.content == content);
    CHECK(completion.tokens.prompt == 26);
    CHECK(completion.reasoning.empty() == (budget == 0));
    CHECK(completion.content.empty() == (content == 0));
    CHECK_FALSE(completion.sampled_with.empty());
  }
}

TEST_CASE("captured settings are read back") {
  const auto json = Json::parse(completion_of("chat_pinned").sampled_with);
  CHECK(json["dry_sequence_breakers"] == Json({"\n", ":", "\"", "*"}));
  CHECK(json["seed"] == 1);
  CHECK_FALSE(json.contains("grammar"));
}

TEST_CASE("captured errors are told apart") {
  const auto of = [](const std::string& name) {
    const auto answer = answer_of(read(kCaptures / (name + ".body")));
    REQUIRE(answer.error().has_value());
    return classify(*answer.error());
  };
  CHECK(of("parse_bad_channel") == ErrorClass::lost_parse);
  CHECK(of("parse_bad_channel_stream") == ErrorClass::lost_parse);
  for (const char* name : {"kv_exhaust_1", "kv_exhaust_2", "kv_exhaust_3", "kv_exhaust_4"}) {
    CHECK(of(name) == ErrorClass::context_pool);
  }
  for (const char* name :
       {"err_404", "err_bad_json", "err_bad_type", "err_dry_last_n_neg", "err_no_key", "err_wrong_key",
        "err_too_long", "err_too_long_stream", "err_n5", "err_max_tokens_neg2"}) {
    INFO(name);
    CHECK(of(name) == ErrorClass::ours);
  }
}

}  // namespace
}  // namespace gpqa
