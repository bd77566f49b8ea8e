#include "runners/remote/streamed_answer.h"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/catch.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

SamplingConfig thinking_config(std::int64_t max_tokens, std::int64_t budget) {
  SamplingConfig sampling;
  sampling.max_tokens = max_tokens;
  sampling.reasoning_budget = budget;
  return sampling;
}

// A stream as llama-server writes it with timings_per_token: {part, text, predicted_n}...
struct Chunk {
  const char* part;
  std::string text;
  int predicted;
};

Completion streamed(const std::vector<Chunk>& chunks, const char* finish, int completion_tokens,
                    const SamplingConfig& sampling, std::int64_t slot_context = 0, bool truncated = false) {
  StreamedAnswer answer;
  const auto ignore = [](std::string_view) {};
  for (const auto& chunk : chunks) {
    Json json;
    json["choices"] = Json::array({{{"delta", {{chunk.part, chunk.text}}}, {"finish_reason", nullptr}}});
    json["timings"]["predicted_n"] = chunk.predicted;
    answer.add(json.dump(), ignore);
  }
  Json last;
  last["choices"] = Json::array({{{"delta", Json::object()}, {"finish_reason", finish}}});
  last["__verbose"]["truncated"] = truncated;
  answer.add(last.dump(), ignore);
  Json usage;
  usage["choices"] = Json::array();
  usage["usage"] = {{"prompt_tokens", 20}, {"completion_tokens", completion_tokens}};
  answer.add(usage.dump(), ignore);
  answer.add("[DONE]", ignore);
  CHECK(answer.done());
  Completion completion;
  std::move(answer).finish(sampling, sampling_fields(sampling, 0), slot_context, completion);
  return completion;
}

TEST_CASE("tokens before the answer's first are reasoning, tags among them") {
  // <|channel> thought \n a b <channel|> The end <turn|>
  const auto done = streamed({{"reasoning_content", "a", 4},
                              {"reasoning_content", "b", 5},
                              {"content", "The", 7},
                              {"content", " end", 8}},
                             "stop", 9, thinking_config(100, 50));
  CHECK(done.outcome == Outcome::stop);
  CHECK(done.reasoning == "ab");
  CHECK(done.content == "The end");
  CHECK(done.tokens.reasoning == 6);
  CHECK(done.tokens.content == 3);
  CHECK(done.tokens.completion == 9);
  CHECK(done.tokens.prompt == 20);
}

TEST_CASE("an empty thought is reasoning, the first bytes of a character are not") {
  const auto sampling = thinking_config(100, 0);
  // <|channel> thought <channel|> The <turn|>
  const auto empty = streamed({{"content", "The", 4}}, "stop", 5, sampling);
  CHECK(empty.tokens.reasoning == 3);
  CHECK(empty.tokens.content == 2);
  const auto emoji = streamed({{"content", "\U0001F600", 4}}, "stop", 5, sampling);
  CHECK(emoji.tokens.reasoning == 0);
  CHECK(emoji.tokens.content == 5);
  // The last of the thought and the first of the answer in one chunk.
  StreamedAnswer both;
  both.add(R"({"choices":[{"delta":{"reasoning_content":"a","content":"b"},"finish_reason":"stop"}],
               "timings":{"predicted_n":7,"prompt_n":5,"cache_n":3}})",
           [](std::string_view) {});
  Completion completion;
  std::move(both).finish(sampling, sampling_fields(sampling, 0), 0, completion);
  CHECK(completion.tokens.reasoning == 6);
  CHECK(completion.tokens.content == 1);
  CHECK(completion.tokens.prompt == 8);  // without usage: evaluated and cached
}

TEST_CASE("a closing tag left in the text is found across chunks") {
  const auto split = streamed({{"content", "<|channel>", 1},
                               {"content", "thought", 2},
                               {"content", "\na b", 6},
                               {"content", "<chan", 7},
                               {"content", "nel|>", 8},
                               {"content", "(B)", 9}},
                              "length", 10, thinking_config(10, 4));
  CHECK(split.content == "(B)");
  CHECK(split.reasoning == "a b");
  CHECK(split.tokens.reasoning == 8);
  CHECK(split.outcome == Outcome::rumination);
}

TEST_CASE("a second thought counts as reasoning too") {
  const auto done = streamed({{"reasoning_content", "a", 4},
                              {"content", "x", 6},
                              {"reasoning_content", "b", 9},
                              {"content", "y", 11}},
                             "stop", 12, thinking_config(100, 50));
  CHECK(done.tokens.reasoning == 9);
  CHECK(done.tokens.content == 3);
  CHECK(done.content == "xy");
}

TEST_CASE("cut inside the thought, inside the answer, or after a spent budget") {
  const auto sampling = thinking_config(24, 16);
  CHECK(streamed({{"reasoning_content", "a", 24}}, "length", 24, sampling).outcome ==
        Outcome::cut_in_reasoning);
  CHECK(streamed({}, "length", 2, thinking_config(2, 16)).outcome == Outcome::cut_in_reasoning);
  CHECK(streamed({{"reasoning_content", "a", 5}, {"content", "x", 7}, {"content", "y", 24}}, "length", 24,
                 sampling)
            .outcome == Outcome::cut_in_answer);
  // 2 opening tokens + 16 of thought + the closing one, then 5 of answer
  const auto rumination = streamed(
      {{"reasoning_content", "a", 18}, {"content", "x", 20}, {"content", "y", 24}}, "length", 24, sampling);
  CHECK(rumination.outcome == Outcome::rumination);
  CHECK(rumination.tokens.reasoning == 19);
  CHECK(rumination.tokens.content == 5);
}

TEST_CASE("a full slot is no model's outcome: it ends before max_tokens") {
  const auto sampling = thinking_config(1000, 500);
  CHECK(streamed({{"content", "x", 40}}, "length", 40, sampling, 0, true).outcome == Outcome::context_full);
  CHECK(streamed({{"content", "x", 44}}, "length", 44, sampling, 64).outcome == Outcome::context_full);
  CHECK(streamed({{"content", "x", 1000}}, "length", 1000, sampling, 1020).outcome == Outcome::cut_in_answer);
}

TEST_CASE("tags that the server left in are split, but not for a model that can't think") {
  auto sampling = thinking_config(100, 50);
  const auto split =
      streamed({{"content", "<think>a", 3}, {"content", "</think>(B)", 9}}, "stop", 10, sampling);
  CHECK(split.content == "(B)");
  CHECK(split.reasoning == "a");
  CHECK(split.raw == "<think>a</think>(B)");
  CHECK(split.tokens.reasoning == 9);  // up to the closing tag
  CHECK(split.tokens.content == 1);
  const auto tag = streamed({{"content", "<|channel>thought", 2}}, "length", 2, thinking_config(2, 50));
  CHECK(tag.outcome == Outcome::cut_in_reasoning);
  CHECK(tag.content.empty());
  sampling.thinking = Thinking::absent;
  CHECK(streamed({{"content", "<think>a</think>(B)", 9}}, "stop", 10, sampling).content ==
        "<think>a</think>(B)");
}

TEST_CASE("what the server sampled with is kept and compared") {
  SamplingConfig sampling;
  sampling.min_p = 0.05;
  sampling.max_tokens = 10;
  StreamedAnswer answer;
  const auto ignore = [](std::string_view) {};
  answer.add(R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],
                "__verbose":{"generation_settings":{"min_p":0.0,"top_k":40,"max_tokens":10,"seed":3,"grammar":"long"}}})",
             ignore);
  Completion completion;
  std::move(answer).finish(sampling, sampling_fields(sampling, 3), 0, completion);
  CHECK(completion.sampling_mismatch == "min_p: asked 0.05, used 0.0");
  CHECK(Json::parse(completion.sampled_with) ==
        Json::parse(R"({"top_k":40,"min_p":0.0,"max_tokens":10,"seed":3})"));
}

TEST_CASE("a hostile chunk is a fault in words, never a crash") {
  const auto ignore = [](std::string_view) {};
  for (const char* bad :
       {"", "nonsense", "[1]", "{\"choices\":5}", "{\"choices\":[7]}", "{\"choices\":[{\"delta\":[]}]}",
        "{\"choices\":[{\"delta\":{\"content\":5}}]}", "{\"choices\":[{\"finish_reason\":{}}]}",
        "{\"timings\":{\"predicted_n\":-1}}", "{\"timings\":{\"predicted_n\":\"x\"}}",
        "{\"usage\":{\"completion_tokens\":1e9}}", "{\"choices\":[{\"delta\":{\"content\":\"\xFF\"}}]}",
        "{\"usage\":{\"prompt_tokens\":9223372036854775807}}", "{\"choices\":[]} {}", "{\"choices\":[]",
        "{\"x\":\"\xFF\"}"}) {
    INFO(bad);
    StreamedAnswer answer;
    CHECK_THROWS_AS(answer.add(bad, ignore), StreamError);
  }
  for (const char* odd :
       {"{}", "{\"choices\":[]}", "{\"choices\":[{}]}", "{\"choices\":null,\"timings\":3,\"usage\":[]}",
        "{\"__verbose\":7}", "{\"__verbose\":{\"generation_settings\":[1],\"truncated\":\"yes\"}}"}) {
    INFO(odd);
    StreamedAnswer answer;
    CHECK_NOTHROW(answer.add(odd, ignore));
  }
  const std::string deep(100000, '[');
  for (const std::string& bad :
       {deep, "{\"error\":" + deep + "}", "{\"x\":" + deep, "{\"choices\":[{\"delta\":" + deep,
        "{\"choices\":[{\"finish_reason\":\"" + std::string(1000, 'x') + "\"}]}",
        "{\"error\":\"" + std::string(100000, 'x') + "\"}",
        "{\"__verbose\":{\"generation_settings\":{\"x\":\"" + std::string(2000000, 'x') + "\"}}}"}) {
    StreamedAnswer answer;
    CHECK_THROWS_AS(answer.add(bad, ignore), StreamError);
  }
}

TEST_CASE("settings of another shape, or without a field of ours, are kept out of the record") {
  const std::string settings = GENERATE(as<std::string>{}, "[1]", "{}", R"({"n_keep":0})");
  StreamedAnswer answer;
  answer.add(R"({"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}],
                "__verbose":{"generation_settings":)" +
                 settings + "}}",
             [](std::string_view) {});
  SamplingConfig sampling;
  Completion completion;
  std::move(answer).finish(sampling, sampling_fields(sampling, 3), 0, completion);
  CHECK(completion.sampled_with.empty());
  CHECK(completion.sampling_mismatch.empty());
}

}  // namespace
}  // namespace gpqa
