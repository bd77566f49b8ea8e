// What a step must read, against sums by hand over the reference model's tensors.
#include "runners/embedded/engine/step_reads.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "runners/embedded/engine/memory_bandwidth.h"
#include "runners/embedded/engine/speed_test.h"
#include "runners/runner_errors.h"
#include "tests/catch.h"
#include "tests/runners/embedded/tiny_model.h"

using namespace gpqa;
using gpqa_test::kGemmaData;
using gpqa_test::TinyModel;

namespace {

// At Q8_0: 34 bytes for 32 numbers.
constexpr std::uint64_t q8(std::uint64_t rows, std::uint64_t width) {
  return rows * width / 32 * 34;
}
constexpr std::uint64_t f32(std::uint64_t width, std::uint64_t rows = 1) {
  return rows * width * 4;
}

// q and output, k, v of 2 heads of 32, gate, up and down of the dense part of 96, the router; norms and
// scales.
constexpr std::uint64_t kSliding = 2 * q8(128, 256) + 2 * q8(64, 256) + 3 * q8(96, 256) + f32(256, 16) +
                                   f32(256, 7) + f32(32, 2) + f32(256) + f32(16) + f32(1);
// q and output of 4 heads of 64, k of one head, no v.
constexpr std::uint64_t kGlobal = 2 * q8(256, 256) + q8(64, 256) + 3 * q8(96, 256) + f32(256, 16) +
                                  f32(256, 7) + f32(64, 2) + f32(256) + f32(16) + f32(1);
constexpr std::uint64_t kExpert = 3 * q8(32, 256);
constexpr std::uint64_t kHead = q8(1408, 256) + f32(256);
constexpr std::uint64_t kEmbedding = q8(1, 256);

Batch token_in_each(std::size_t slots, std::size_t position) {
  Batch batch;
  for (std::uint32_t slot = 0; slot < slots; ++slot)
    batch.add(static_cast<std::int32_t>(100 * std::size_t{slot} + position), position, slot);
  return batch;
}

struct ChosenExperts final : LayerObserver {
  explicit ChosenExperts(Backend& on) : backend(on) {}
  void on_layer(const LayerView& layer) override {
    const auto chosen = backend.read_back(*layer.routing).experts;
    experts.emplace_back(chosen.begin(), chosen.end());
  }
  Backend& backend;
  std::vector<std::set<std::int32_t>> experts;
};

}  // namespace

TEST_CASE("weights are counted as the file holds them: what all tokens need, the head, an expert") {
  const auto bytes = weight_bytes(ModelSource(kGemmaData + "tiny-q8_0.gguf"));
  CHECK(bytes.dense == 5 * kSliding + kGlobal);
  CHECK(bytes.head == kHead);
  CHECK(bytes.embedding == kEmbedding);
  CHECK(bytes.expert == std::vector<std::uint64_t>(6, kExpert));
}

TEST_CASE("nothing of a file is left out or counted twice, whatever its tensors are called") {
  for (const auto* name : {"tiny-bf16.gguf", "tiny-q4_k_m.gguf", "tiny-hf", "tiny-pruned-hf"}) {
    INFO(name);
    const ModelSource source(kGemmaData + name);
    const auto bytes = weight_bytes(source);
    std::uint64_t all = bytes.dense + bytes.head;
    for (const auto expert : bytes.expert) all += expert * source.config().experts;
    // A GGUF's divisors of angles are read once, when it is loaded.
    if (const auto* divisors = source.find("rope_freqs.weight")) all += divisors->bytes.size();
    CHECK(all == source.tensor_bytes());
  }
}

TEST_CASE("a step reads each expert once that one of its tokens chose") {
  TinyModel tiny(kGemmaData + "tiny-q8_0.gguf", {},
                 {.slots = 5, .cells = 8, .max_tokens = 8, .max_logits = 5});
  const auto bytes = weight_bytes(tiny.source);
  for (const std::size_t slots : {1U, 5U}) {
    INFO(slots);
    const auto batch = token_in_each(slots, 0);
    std::vector<std::size_t> wanted(slots);
    std::iota(wanted.begin(), wanted.end(), std::size_t{0});
    ChosenExperts chosen(*tiny.backend);
    tiny.model->forward(batch, wanted, &chosen);
    std::size_t experts = 0;
    const auto reads = count_reads(*tiny.backend, *tiny.model, bytes, batch, wanted);
    REQUIRE(reads.experts.size() == 6);
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(reads.experts[i] == chosen.experts[i].size());
      experts += chosen.experts[i].size();
    }
    CHECK(experts >= 24);  // 4 of each token in each layer
    CHECK(reads.weights == 5 * kSliding + kGlobal + kHead + slots * kEmbedding + experts * kExpert);
    // Keys and values of one position, 64 numbers each in every layer.
    CHECK(reads.kv == slots * 6 * 2 * f32(64));
    const auto inside = count_reads(*tiny.backend, *tiny.model, bytes, batch, {});
    CHECK(reads.weights - inside.weights == kHead);
  }
}

TEST_CASE(
    "of keys and values, what a window hides isn't read, and what two tokens of a slot see is read once") {
  const ModelSource source(kGemmaData + "tiny-q8_0.gguf");
  const auto cells = [](std::uint64_t sliding, std::uint64_t global) {
    return (5 * sliding + global) * 2 * f32(64);
  };
  Batch batch;
  batch.add(5, 30, 0);
  CHECK(kv_bytes_read(source.config(), KvType::f32, batch) == cells(31, 31));
  batch = Batch{};
  batch.add(5, 99, 0);
  CHECK(kv_bytes_read(source.config(), KvType::f32, batch) == cells(32, 100));
  batch.add(5, 100, 0);
  CHECK(kv_bytes_read(source.config(), KvType::f32, batch) == cells(33, 101));
  batch.add(5, 0, 3);
  CHECK(kv_bytes_read(source.config(), KvType::f32, batch) == cells(33, 101) + cells(1, 1));
}

TEST_CASE("the speed test runs what its plan says, and each of its steps is what a sequence would see") {
  const SpeedPlan plan{.prompt = 40, .steps = 6, .slots = {1, 3}, .seed = 4};
  const auto load = [&] {
    return LoadedModel(std::make_unique<ModelSource>(kGemmaData + "tiny-q8_0.gguf"),
                       {.cpu = {.threads = 2}, .sizes = SpeedTest::sizes(plan)});
  };
  auto loaded = load();
  MemoryBandwidth bandwidth(2, std::size_t{3} << 20);
  std::size_t done = 0;
  SpeedTest test(loaded, bandwidth, plan, [&](std::size_t tokens) { done = tokens; }, {});
  const auto prompts = test.read_prompts();
  CHECK(prompts.tokens == 40);
  CHECK(prompts.seconds.size() == 3);
  CHECK(prompts.bandwidth.before > 0);
  const auto three = test.decode(3);
  const auto one = test.decode(1);
  CHECK(done == SpeedTest::tokens(plan));
  CHECK(three.seconds.size() == 6);
  CHECK(*std::min_element(three.seconds.begin(), three.seconds.end()) > 0);
  REQUIRE(one.reads.size() == 6);
  CHECK(one.reads.back().experts == std::vector<std::size_t>(6, 4));
  // Position 49, the last of all: 50 keys in one layer, a window of 32 in five.
  CHECK(one.reads.back().kv == f32(64, 2) * 210);
  CHECK(three.reads.back().kv == 3 * one.reads.back().kv);
  // Rows in another order: each begins at the end of the prompts, so it reads the same.
  auto again = load();
  SpeedTest other(again, bandwidth, plan, {}, {});
  other.read_prompts();
  other.decode(1);
  const auto after = other.decode(3);
  for (std::size_t i = 0; i < 6; ++i) CHECK(after.reads[i].experts == three.reads[i].experts);
}

TEST_CASE("a speed test ends between two steps when it is asked to") {
  const SpeedPlan plan{.prompt = 4, .steps = 2, .slots = {1}};
  LoadedModel loaded(std::make_unique<ModelSource>(kGemmaData + "tiny-q8_0.gguf"),
                     {.cpu = {}, .sizes = SpeedTest::sizes(plan)});
  MemoryBandwidth bandwidth(1, std::size_t{1} << 20);
  std::stop_source stop;
  SpeedTest test(
      loaded, bandwidth, plan, [&](std::size_t) { stop.request_stop(); }, stop.get_token());
  test.read_prompts();
  CHECK_THROWS_AS(test.decode(1), Interrupted);
}
