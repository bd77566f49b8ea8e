// What doesn't fit is refused before it is loaded, with the sum.
#include "runners/embedded/engine/memory_plan.h"

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/runners/embedded/tiny_model.h"

using namespace gpqa;
using Catch::Matchers::Contains;

namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

}  // namespace

TEST_CASE("the plan counts weights, each slot's keys and values, and the room of a step") {
  const ModelSource source(gpqa_test::kGemmaData + "tiny-q8_0.gguf");
  const Gemma4::Sizes sizes{.slots = 3, .cells = 1000, .max_tokens = 16, .max_logits = 3};
  const auto plan = plan_memory(source, sizes);
  CHECK(plan.weights == source.tensor_bytes());
  // Five layers keep their window of 32 and a step, one keeps all; keys and values of 64 numbers each.
  CHECK(plan.kv == 3 * (5 * (32 + 15) + 1000) * 2 * 64 * sizeof(float));
  CHECK(plan.buffers > 0);
  CHECK_NOTHROW(check_memory(plan, sizes, available_memory()));
  CHECK(available_memory().value_or(0) > 0);
}

TEST_CASE("what doesn't fit is refused with the sum, and with what would fit") {
  const Gemma4::Sizes sizes{.slots = 8, .cells = 16384};
  const MemoryPlan plan{.weights = 17 * kGiB, .kv = 16 * kGiB, .buffers = kGiB};
  CHECK_NOTHROW(check_memory(plan, sizes, 34 * kGiB));
  CHECK_NOTHROW(check_memory(plan, sizes, std::nullopt));
  CHECK_THROWS_WITH(
      check_memory(plan, sizes, 24 * kGiB),
      Contains("weights 17.00 GiB + keys and values 8 x 2.00 GiB + buffers 1.00 GiB = 34.00 GiB") &&
          Contains("available are 24.00 GiB") && Contains("--slots 3"));
  CHECK_THROWS_WITH(check_memory(plan, sizes, 10 * kGiB), Contains("smaller file"));
}
