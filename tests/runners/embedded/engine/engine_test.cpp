// Many sequences at once: each as if it were alone, each ended once.
#include "runners/embedded/engine/engine.h"

#include <algorithm>
#include <future>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/runners/embedded/tiny_model.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::kGemmaData;
using gpqa_test::TinyModel;

namespace {

constexpr std::size_t kVocabulary = 1408;

std::int32_t most_probable(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

struct Written {
  std::vector<std::int32_t> tokens;
  SequenceEnd end = SequenceEnd::failed;
  std::string error;
  int ended = 0;
};

// Greedy, kept in `to`.
SequenceRequest greedy(std::vector<std::int32_t> prompt, std::int64_t max_tokens, Written& to) {
  SequenceRequest request;
  request.prompt = std::move(prompt);
  request.max_tokens = max_tokens;
  request.choose = &most_probable;
  request.on_token = [&to](std::int32_t token) {
    to.tokens.push_back(token);
    return true;
  };
  request.on_done = [&to](SequenceEnd end, const std::string& error) {
    to.end = end;
    to.error = error;
    ++to.ended;
  };
  return request;
}

std::vector<std::int32_t> random_prompt(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> ids = {2};
  while (ids.size() < count) ids.push_back(static_cast<std::int32_t>(random() % kVocabulary));
  return ids;
}

TinyModel small_model(std::size_t slots, std::size_t max_tokens = 16, std::size_t cells = 64) {
  return TinyModel(kGemmaData + "tiny-q8_0.gguf", {.threads = 1},
                   {.slots = slots, .cells = cells, .max_tokens = max_tokens, .max_logits = slots});
}

// Alone, one token a step.
Written alone(const std::vector<std::int32_t>& prompt, std::int64_t max_tokens) {
  auto tiny = small_model(1, 1);
  Scheduler scheduler(*tiny.backend, *tiny.model);
  Written written;
  scheduler.add(greedy(prompt, max_tokens, written));
  while (!scheduler.idle()) scheduler.step();
  return written;
}

}  // namespace

TEST_CASE("sequences that share the steps write what each writes alone") {
  std::vector<std::vector<std::int32_t>> prompts;
  std::vector<Written> expected;
  for (std::uint32_t i = 0; i < 7; ++i) {
    prompts.push_back(random_prompt(1 + i * 7, i));
    expected.push_back(alone(prompts.back(), 12));
  }
  for (const std::size_t slots : {1U, 3U, 8U}) {
    auto tiny = small_model(slots);
    Scheduler scheduler(*tiny.backend, *tiny.model);
    std::vector<Written> written(prompts.size());
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const auto request = greedy(prompts[i], 12, written[i]);
      scheduler.check(request);
      scheduler.add(request);
      scheduler.step();  // the next one comes when this one is under way
    }
    while (!scheduler.idle()) scheduler.step();
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      CHECK(written[i].tokens == expected[i].tokens);
      CHECK(written[i].end == SequenceEnd::length);
      CHECK(written[i].ended == 1);
    }
  }
}

TEST_CASE("how a sequence ends") {
  auto tiny = small_model(2, 16, 20);
  Scheduler scheduler(*tiny.backend, *tiny.model);
  Written full;
  Written stopped;
  Written failed;
  Written broken;
  scheduler.add(greedy(random_prompt(10, 1), 1000, full));
  auto stopping = greedy(random_prompt(3, 2), 1000, stopped);
  stopping.on_token = [&](std::int32_t token) {
    stopped.tokens.push_back(token);
    return stopped.tokens.size() < 4;
  };
  scheduler.add(stopping);
  auto failing = greedy(random_prompt(3, 3), 1000, failed);
  failing.choose = [](std::span<const float>) -> std::int32_t { throw std::runtime_error("no choice"); };
  scheduler.add(failing);
  scheduler.add(greedy(random_prompt(3, 4), 1, broken));
  while (!scheduler.idle()) scheduler.step();
  CHECK(full.end == SequenceEnd::context_full);
  CHECK(full.tokens.size() == 10);  // prompt and answer are as many as the slot holds
  CHECK(stopped.end == SequenceEnd::stopped);
  CHECK(stopped.tokens.size() == 4);
  CHECK(failed.end == SequenceEnd::failed);
  CHECK(failed.error == "no choice");
  CHECK(broken.end == SequenceEnd::length);
  CHECK(broken.tokens.size() == 1);
  for (const auto* written : {&full, &stopped, &failed, &broken}) CHECK(written->ended == 1);
}

TEST_CASE("a prompt that can't be is refused with the figures") {
  auto tiny = small_model(1, 16, 20);
  Engine engine(*tiny.backend, *tiny.model);
  Written written;
  CHECK_THROWS_WITH(engine.submit(greedy({}, 1, written)), Contains("without a token"));
  CHECK_THROWS_WITH(engine.submit(greedy(random_prompt(20, 1), 1, written)),
                    Contains("20 tokens; a slot holds 20"));
  CHECK_THROWS_WITH(engine.submit(greedy({2, 1408}, 1, written)), Contains("token 1408"));
  CHECK_THROWS_WITH(engine.submit(greedy({-1}, 1, written)), Contains("token -1"));
  CHECK(written.ended == 0);
}

TEST_CASE("an engine that ends cancels what runs and what waits, each once") {
  std::vector<Written> written(6);
  {
    auto tiny = small_model(2);
    Engine engine(*tiny.backend, *tiny.model);
    for (auto& each : written) engine.submit(greedy({2, 5, 7}, 1'000'000, each));
  }
  for (const auto& each : written) {
    CHECK(each.end == SequenceEnd::cancelled);
    CHECK(each.ended == 1);
  }
}

TEST_CASE(
    "eight slots, requests from two threads, cancelled at random: the others write what they write alone") {
  std::map<std::size_t, Written> expected;
  for (std::size_t length = 1; length <= 5; ++length) expected[length] = alone(random_prompt(length, 9), 20);
  auto tiny = small_model(8);
  Engine engine(*tiny.backend, *tiny.model);
  const auto submit_many = [&](std::uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<Written> written(24);
    std::vector<std::promise<void>> done(written.size());
    std::vector<bool> cancelled(written.size());
    std::vector<std::size_t> lengths;
    for (std::size_t i = 0; i < written.size(); ++i) {
      lengths.push_back(1 + random() % 5);
      auto request = greedy(random_prompt(lengths.back(), 9), 20, written[i]);
      request.on_done = [&, i](SequenceEnd end, const std::string&) {
        written[i].end = end;
        ++written[i].ended;
        done[i].set_value();
      };
      auto ticket = engine.submit(std::move(request));
      cancelled[i] = random() % 3 == 0;
      if (cancelled[i]) {
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 20'000));
        ticket.cancel();
      }
    }
    for (auto& each : done) each.get_future().wait();
    std::string wrong;
    for (std::size_t i = 0; i < written.size(); ++i) {
      const auto& whole = expected.at(lengths[i]).tokens;
      const auto& tokens = written[i].tokens;
      const bool begins = std::equal(tokens.begin(), tokens.end(), whole.begin());
      const bool ends = written[i].end == SequenceEnd::length
                            ? tokens.size() == whole.size()
                            : cancelled[i] && written[i].end == SequenceEnd::cancelled;
      if (!begins || !ends || written[i].ended != 1) wrong += " " + std::to_string(i);
    }
    return wrong;
  };
  auto other = std::async(std::launch::async, submit_many, 1);
  CHECK(submit_many(2).empty());
  CHECK(other.get().empty());
}
