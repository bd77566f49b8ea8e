// A sequence's logits don't depend on what else runs, how its prompt is cut, or how many threads there are:
// equal to the bit.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "runners/embedded/backend/cpu/kernels.h"
#include "tests/catch.h"
#include "tests/runners/embedded/tiny_model.h"
#include "tests/support/retype_gguf.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using gpqa_test::kGemmaData;
using gpqa_test::same_bits;
using gpqa_test::TinyModel;

namespace {

constexpr std::size_t kVocabulary = 1408;

std::vector<std::int32_t> random_ids(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::int32_t> ids = {2};
  while (ids.size() < count) ids.push_back(static_cast<std::int32_t>(random() % kVocabulary));
  return ids;
}

// A sequence that is fed in chunks of so many tokens, from a step on.
struct Fed {
  std::vector<std::int32_t> ids;
  std::size_t chunk;
  std::size_t from_step;
  std::size_t done = 0;
};

// The logits after each token of sequence 0, all running together.
std::vector<float> run_together(TinyModel& tiny, std::vector<Fed> sequences, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> logits;
  for (std::size_t step = 0; sequences[0].done < sequences[0].ids.size(); ++step) {
    Batch batch;
    std::vector<std::size_t> wanted;
    std::vector<std::uint32_t> order(sequences.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    for (const auto slot : order) {
      auto& fed = sequences[slot];
      if (step < fed.from_step) continue;
      for (std::size_t i = 0; i < fed.chunk && fed.done < fed.ids.size() && batch.size() < 512;
           ++i, ++fed.done) {
        if (slot == 0) wanted.push_back(batch.size());
        batch.add(fed.ids[fed.done], fed.done, slot);
      }
    }
    if (batch.size() == 0) continue;
    const auto some = tiny.backend->read_back(tiny.model->forward(batch, wanted));
    logits.insert(logits.end(), some.begin(), some.end());
  }
  return logits;
}

void check_invariance(const std::string& path, Arithmetic arithmetic, const Kernels& kernels,
                      KvType kv = KvType::f32) {
  const Gemma4::Sizes sizes{.slots = 8, .cells = 128, .max_tokens = 512, .max_logits = 512, .kv = kv};
  const auto ids = random_ids(70, 1);  // more than two windows
  TinyModel one(path, {.threads = 1, .arithmetic = arithmetic, .kernels = &kernels}, sizes);
  TinyModel two(path, {.threads = 2, .arithmetic = arithmetic, .kernels = &kernels}, sizes);
  const auto expected = run_together(one, {{ids, 1, 0}}, 0);
  REQUIRE(expected.size() == ids.size() * kVocabulary);
  REQUIRE(std::all_of(expected.begin(), expected.end(), [](float logit) { return std::isfinite(logit); }));
  for (const std::size_t chunk : {1U, 7U, 64U, 512U}) {
    INFO(kernels.name << ", chunks of " << chunk);
    CHECK(same_bits(run_together(two, {{ids, chunk, 0}}, 0), expected));
    std::vector<Fed> all = {{ids, chunk, 3}};
    std::mt19937 random(static_cast<std::uint32_t>(chunk));
    for (std::uint32_t i = 1; i < 8; ++i)
      all.push_back({random_ids(10 + random() % 40, 10 + i), 1 + random() % 40, random() % 12});
    CHECK(same_bits(run_together(chunk == 7 ? one : two, all, static_cast<std::uint32_t>(chunk)), expected));
  }
}

}  // namespace

TEST_CASE("logits are the same to the bit, alone or among others, in any chunks, with any threads") {
  // Nothing is rounded where no weight is quantised.
  const auto [type, arithmetic, kv] =
      GENERATE(table<std::string, Arithmetic, KvType>({{"bf16", Arithmetic::float32, KvType::f32},
                                                       {"q8_0", Arithmetic::int8, KvType::f16},
                                                       {"q6_k", Arithmetic::int8, KvType::q8_0},
                                                       {"q4_k_m", Arithmetic::int8, KvType::f32},
                                                       {"q4_k_m", Arithmetic::float32, KvType::f16}}));
  const Kernels* kernels = GENERATE(from_range(usable_kernels()));
  INFO(type << ", keys and values " << kv_type_name(kv));
  check_invariance(kGemmaData + "tiny-" + type + ".gguf", arithmetic, *kernels, kv);
}

namespace {

// Sanitizers take twenty times as long: there the best set stands for all, which the test above has tried.
std::vector<const Kernels*> kernels_to_try() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return {usable_kernels().back()};
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  return {usable_kernels().back()};
#endif
#endif
  return usable_kernels();
}

}  // namespace

TEST_CASE("so they are with every matrix in one type, whichever it is") {
  const auto type =
      GENERATE(as<std::string>(), "F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q5_0", "Q4_0");
  const Kernels* kernels = GENERATE(from_range(kernels_to_try()));
  INFO(type);
  const TemporaryFolder folder;
  const auto path = folder.path() / "retyped.gguf";
  test::retype_gguf(kGemmaData + (type == "BF16" ? "tiny-bf16.gguf" : "tiny-q8_0.gguf"), path,
                    type == "BF16" ? "" : type);
  check_invariance(path.string(), Arithmetic::int8, *kernels);
  if (type.starts_with("Q")) check_invariance(path.string(), Arithmetic::float32, *kernels);
}
