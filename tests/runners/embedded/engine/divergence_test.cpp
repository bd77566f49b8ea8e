#include "runners/embedded/engine/divergence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/catch.h"
#include "tests/runners/embedded/tiny_model.h"

using namespace gpqa;
using gpqa_test::kGemmaData;

namespace {

LoadedModel load(const std::string& name, std::size_t chunk, Arithmetic arithmetic = Arithmetic::float32) {
  return {std::make_unique<ModelSource>(kGemmaData + name),
          {.cpu = {.threads = 1, .arithmetic = arithmetic},
           .sizes = {.slots = 1, .cells = 64, .max_tokens = chunk, .max_logits = chunk}}};
}

const std::vector<std::int32_t> kIds = {2,    885,  907, 537,  1361, 516,  519,
                                        1373, 1364, 515, 1365, 1374, 1400, 1360};

}  // namespace

TEST_CASE("divergence of two distributions is that of its definition") {
  const std::vector<float> p = {0, 1, 2};
  const std::vector<float> q = {2, 1, 0};
  const double sum = 1 + std::exp(1.0) + std::exp(2.0);
  const auto d = compare_logits(p, q, 2);
  CHECK(d.kl == Approx((1 * (0 - 2) + std::exp(2.0) * (2 - 0)) / sum));
  CHECK(d.nll_first == Approx(std::log(sum) - 2));
  CHECK(d.nll_second == Approx(std::log(sum)));
  CHECK(d.same_top == 0);
  CHECK(compare_logits(p, p, 0).kl == 0);
  CHECK(compare_logits(p, p, 0).same_top == 1);
  // Far apart, and forbidden by one alone: large, but a number where the other forbids nothing.
  const std::vector<float> certain = {0, -std::numeric_limits<float>::infinity()};
  CHECK(compare_logits(certain, std::vector<float>{0, 0}, 0).kl == Approx(std::log(2)));
}

TEST_CASE("a model doesn't diverge from itself, and a rounded one does, however the text is cut") {
  auto exact = load("tiny-bf16.gguf", 5);
  auto again = load("tiny-hf", 5);
  const auto none = compare_on_text(exact, again, kIds, 1);
  CHECK(none.tokens == kIds.size() - 1);
  CHECK(none.kl == 0);
  CHECK(none.same_top == none.tokens);
  CHECK(none.nll_first == none.nll_second);

  auto rounded = load("tiny-q4_k_m.gguf", 5);
  const auto some = compare_on_text(exact, rounded, kIds, 1);
  CHECK(some.kl > 0.01);
  CHECK(some.nll_first == none.nll_first);
  auto exact_wide = load("tiny-bf16.gguf", 64);
  auto rounded_wide = load("tiny-q4_k_m.gguf", 64);
  CHECK(compare_on_text(exact_wide, rounded_wide, kIds, 1).kl == some.kl);
  // The end of a text, and its beginning.
  auto sum = compare_on_text(exact, rounded, kIds, 6);
  CHECK(sum.tokens == kIds.size() - 6);
  sum += compare_on_text(exact, rounded, std::span(kIds).first(6), 1);
  CHECK(sum.kl == Approx(some.kl));
  CHECK(sum.most_kl == some.most_kl);
}
