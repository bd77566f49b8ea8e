// The runner over the engine: what it answers, how it ends, and that it is the same whatever runs beside it.
#include "runners/embedded/embedded_runner.h"

#include <chrono>
#include <map>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "runners/embedded/embedded_answer.h"
#include "runners/runner_errors.h"
#include "tests/catch.h"

using namespace gpqa;
using Catch::Matchers::Contains;

namespace {

const std::string kData = GPQA_TEST_DATA "/gemma4/";

struct Loaded {
  LoadedModel model;
  ChatModel chat;
  explicit Loaded(std::size_t slots, std::size_t cells = 256, const std::string& file = "tiny-q4_k_m.gguf")
      : model(std::make_unique<ModelSource>(kData + file),
              {.cpu = {.threads = 1},
               .sizes = {.slots = slots, .cells = cells, .max_tokens = 64, .max_logits = slots}}),
        chat(model.source(), false) {}
  EmbeddedRunner runner(const SamplingConfig& sampling) { return {model, chat, sampling, 60, "gpqa test"}; }
};

SamplingConfig card(std::int64_t max_tokens) {
  SamplingConfig sampling;
  sampling.temperature = 1.0;
  sampling.top_k = 64;
  sampling.top_p = 0.95;
  sampling.dry_multiplier = 0.5;
  sampling.reasoning_budget = 16;
  sampling.max_tokens = max_tokens;
  sampling.thinking = Thinking::required;
  return sampling;
}

struct Questions : RequestSource {
  explicit Questions(std::uint32_t count) : left(count) {}
  std::optional<Request> next() override {
    if (asked == left) return std::nullopt;
    const auto id = asked++;
    return Request{.id = {id, 0}, .prompt = "question " + std::to_string(id), .seed = 100 + id};
  }
  std::uint32_t left;
  std::uint32_t asked = 0;
};

struct Kept : Sink {
  void on_delta(TrialId id, std::string_view text) override { shown[id] += text; }
  void on_done(Completion completion) override {
    CHECK(std::this_thread::get_id() == thread);
    const auto id = completion.id;
    CHECK(done.emplace(id, std::move(completion)).second);
  }
  std::thread::id thread = std::this_thread::get_id();
  std::map<TrialId, std::string> shown;
  std::map<TrialId, Completion> done;
};

std::map<TrialId, Completion> ask(std::size_t slots, std::uint32_t count, const SamplingConfig& sampling) {
  Loaded loaded(slots);
  auto runner = loaded.runner(sampling);
  Questions questions(count);
  Kept kept;
  runner.run(questions, kept, {});
  return std::move(kept.done);
}

}  // namespace

TEST_CASE("every question is answered once, the same in one slot and in four") {
  const auto one = ask(1, 6, card(40));
  const auto four = ask(4, 6, card(40));
  REQUIRE(one.size() == 6);
  REQUIRE(four.size() == 6);
  std::set<std::string> different;
  for (const auto& [id, completion] : one) {
    const auto& other = four.at(id);
    CHECK(completion.raw == other.raw);
    CHECK(completion.content == other.content);
    CHECK(completion.outcome == other.outcome);
    CHECK(completion.tokens == other.tokens);
    CHECK(completion.sampled_with == other.sampled_with);
    CHECK(completion.outcome != Outcome::failed);
    CHECK(completion.tokens.completion > 0);
    CHECK(completion.tokens.completion <= 40);
    CHECK(*completion.tokens.reasoning + *completion.tokens.content == completion.tokens.completion);
    different.insert(completion.raw.value());
  }
  CHECK(different.size() == 6);  // seeds differ
}

TEST_CASE("what was sampled with is told as a server tells it") {
  const auto done = ask(1, 1, card(5));
  const auto used = nlohmann::json::parse(done.begin()->second.sampled_with);
  CHECK(used.at("top_k") == 64);
  CHECK(used.at("temperature") == 1.0);
  CHECK(used.at("min_p").get<float>() == 0.05F);  // llama-server's default
  CHECK(used.at("seed") == 100);
  CHECK(used.at("max_tokens") == 5);
}

TEST_CASE("a stop ends what runs as cancelled, and nothing is asked any more") {
  Loaded loaded(2, 4096);
  auto runner = loaded.runner(card(3000));
  Questions questions(50);
  Kept kept;
  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    stop.request_stop();
  });
  runner.run(questions, kept, stop.get_token());
  CHECK(kept.done.size() == questions.asked);
  CHECK(questions.asked < 50);
  std::size_t cancelled = 0;
  for (const auto& [id, completion] : kept.done)
    cancelled += completion.outcome == Outcome::cancelled ? 1 : 0;
  CHECK(cancelled >= 1);
}

TEST_CASE("a runner tells what its model is") {
  Loaded loaded(3);
  const auto info = loaded.runner(card(40)).info();
  CHECK(info.kind == "embedded");
  CHECK(info.build == "gpqa test, cpu, 8-bit inputs, keys and values f32");
  CHECK(info.quant == "Q4_K - Medium");
  CHECK(info.n_params == 3838790);
  CHECK(info.slots == 3);
  CHECK(info.slot_context == 256);
  CHECK(info.chat_template_name == "gemma-4");
  CHECK(info.thinking == "on");
  CHECK(info.server_defaults.at("top_k") == "64");  // the file's
  const auto print = nlohmann::json::parse(info.fingerprint);
  CHECK(print.at("tokens").size() >= 1);
  CHECK(print.at("tokens")[0].at("top").size() == 5);
  CHECK(info.fingerprint == Loaded(1).runner(card(40)).info().fingerprint);
  CHECK(info.fingerprint != Loaded(1, 256, "tiny-q8_0.gguf").runner(card(40)).info().fingerprint);
}

TEST_CASE("an answer that no slot can hold is refused with the sum") {
  Loaded loaded(1);
  CHECK_THROWS_WITH(
      loaded.runner(card(200)),
      Contains("a slot holds 256 tokens; the longest prompt has 60 and an answer may have 200"));
  auto wrong = card(40);
  wrong.dry_penalty_last_n = -1;
  CHECK_THROWS_AS(loaded.runner(wrong), InputError);
}

TEST_CASE("tokens become reasoning and answer as llama-server's parser has it") {
  const Loaded loaded(1);
  const auto& tokenizer = loaded.chat.tokenizer();
  const auto sampling = card(100);
  const auto write = [&](const std::string& text, SequenceEnd end, bool turn_ends) {
    EmbeddedAnswer answer(loaded.chat, sampling, 10);
    auto ids = tokenizer.encode(text);
    for (const auto id : ids) CHECK(answer.add(id));
    if (turn_ends) CHECK(!answer.add(106));
    return answer.finish(end, "", 1000);
  };
  const auto whole = write("<|channel>thought\nHm.\n<channel|>It is (A).", SequenceEnd::stopped, true);
  CHECK(whole.reasoning == "Hm.\n");
  CHECK(whole.content == "It is (A).");
  CHECK(whole.raw == "<|channel>thought\nHm.\n<channel|>It is (A).");
  CHECK(whole.outcome == Outcome::stop);
  CHECK(whole.finish_reason == "stop");
  CHECK(*whole.tokens.content == static_cast<std::int64_t>(tokenizer.encode("It is (A).").size()) + 1);
  const auto cut = write("<|channel>thought\nHm", SequenceEnd::length, false);
  CHECK(cut.outcome == Outcome::cut_in_reasoning);
  CHECK(cut.content.empty());
  CHECK(cut.reasoning == "Hm");
  const auto lost = write("<|channel>other\nHm<channel|>x", SequenceEnd::stopped, true);
  CHECK(lost.outcome == Outcome::lost_parse);
  CHECK(lost.content.empty());
  CHECK(lost.raw == "<|channel>other\nHm<channel|>x");
  const auto plain = write("(B)", SequenceEnd::stopped, true);
  CHECK(plain.content == "(B)");
  CHECK(*plain.tokens.reasoning == 0);
  const auto full = write("(B)", SequenceEnd::context_full, false);
  CHECK(full.outcome == Outcome::context_full);
}

TEST_CASE("a stop string ends the answer and is not part of it, wherever tokens divide it") {
  const Loaded loaded(1);
  auto sampling = card(100);
  sampling.stop = {"zebra", "ple.\n"};
  EmbeddedAnswer answer(loaded.chat, sampling, 1);
  bool more = true;
  for (const auto id : loaded.chat.tokenizer().encode("An apple.\nMore"))
    if (more) more = answer.add(id);
  CHECK(!more);
  const auto completion = answer.finish(SequenceEnd::stopped, "", 100);
  CHECK(completion.content == "An ap");
  CHECK(completion.outcome == Outcome::stop);
}

TEST_CASE("an answer that ends amid a character is valid UTF-8 all the same") {
  const Loaded loaded(1);
  const auto& bytes = loaded.chat.tokenizer().vocabulary().byte_tokens;
  const auto sampling = card(100);
  EmbeddedAnswer answer(loaded.chat, sampling, 1);
  for (const unsigned char byte : std::string("\xC3\xA9\xE2\x82")) answer.add(bytes[byte]);
  CHECK(answer.finish(SequenceEnd::length, "", 100).content == "\u00e9\ufffd");
}
