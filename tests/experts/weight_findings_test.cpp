#include "experts/weight_findings.h"

#include <cmath>
#include <random>

#include "experts/gram.h"
#include "prompts/input_error.h"
#include "runners/model_files/dequantize.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/safetensors_reader.h"
#include "tests/catch.h"

using namespace gpqa;
using Catch::Matchers::Contains;

namespace {

const std::string kGemma = GPQA_TEST_DATA "/gemma4/";

std::vector<LayerSimilarity> similarity(std::span<const TensorView> tensors, std::size_t threads = 2) {
  std::vector<LayerSimilarity> all;
  for (const auto& layer : find_expert_tensors(tensors, "model"))
    all.push_back(compare_experts(layer, "model", threads, [](std::span<const std::byte>) {}));
  return all;
}

// All of a layer at once, in float64.
Cosines by_definition(const std::vector<const TensorView*>& tensors) {
  const std::size_t experts = tensors[0]->shape.back();
  std::vector<std::vector<double>> rows(experts);
  for (const auto* tensor : tensors) {
    std::vector<float> values(tensor->elements());
    dequantize(tensor->format, tensor->bytes, values);
    const auto each = values.size() / experts;
    for (std::size_t e = 0; e < experts; ++e)
      rows[e].insert(rows[e].end(), values.begin() + static_cast<std::ptrdiff_t>(e * each),
                     values.begin() + static_cast<std::ptrdiff_t>((e + 1) * each));
  }
  const auto dot = [&](std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k < rows[i].size(); ++k) sum += rows[i][k] * rows[j][k];
    return sum;
  };
  Cosines cosines{.max = -2};
  for (std::size_t i = 0; i < experts; ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const double cosine = dot(i, j) / std::sqrt(dot(i, i) * dot(j, j));
      cosines.max = std::max(cosines.max, cosine);
      cosines.mean += cosine;
      cosines.mean_size += std::abs(cosine);
    }
  const auto pairs = static_cast<double>(experts * (experts - 1) / 2);
  cosines.mean /= pairs;
  cosines.mean_size /= pairs;
  return cosines;
}

}  // namespace

TEST_CASE("dot products of all rows are those of their definition, with any number of threads") {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (const std::size_t rows : {1, 2, 3, 4, 5, 7, 16, 33})
    for (const std::size_t columns : {8, 64, 2048, 2056, 5000}) {
      std::vector<float> a(rows * columns);
      for (auto& x : a) x = normal(random);
      std::vector<double> gram(rows * rows, 1.0);
      add_gram(a, rows, columns, gram, 1);
      std::vector<double> parallel(rows * rows, 1.0);
      add_gram(a, rows, columns, parallel, 3);
      CHECK(parallel == gram);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < rows; ++j) {
          double sum = 1;
          if (j <= i)
            for (std::size_t k = 0; k < columns; ++k)
              sum += static_cast<double>(a[i * columns + k]) * static_cast<double>(a[j * columns + k]);
          // Eight lanes of 256 products each: 2^-24 * sqrt(256) of sums of about sqrt(columns).
          CHECK(gram[i * rows + j] == Approx(sum).epsilon(1e-6).margin(1e-6 * static_cast<double>(columns)));
        }
    }
}

TEST_CASE("cosines of the tiny model's experts are those of their definition, for each type of file") {
  for (const char* name : {"tiny-bf16.gguf", "tiny-q6_k.gguf", "tiny-q4_k_m.gguf"}) {
    const GgufFile file(kGemma + name);
    const auto layers = find_expert_tensors(file.tensors(), name);
    REQUIRE(layers.size() == 6);
    for (const auto& layer : layers) {
      REQUIRE(layer.tensors.size() == 2);
      const auto found = compare_experts(layer, name, 1, [](std::span<const std::byte>) {});
      CHECK(found.experts == 16);
      const auto expected = by_definition(layer.tensors);
      CHECK(found.whole.max == Approx(expected.max).margin(1e-6));
      CHECK(found.whole.mean == Approx(expected.mean).margin(1e-6));
      CHECK(found.whole.mean_size == Approx(expected.mean_size).margin(1e-6));
      CHECK(found.by_tensor[0].first == "ffn_down_exps");
      CHECK(found.by_tensor[0].second.max == Approx(by_definition({layer.tensors[0]}).max).margin(1e-6));
    }
  }
}

TEST_CASE("a checkpoint's experts are as alike as those of the GGUF that was made from it") {
  const auto hf = similarity(SafetensorsCheckpoint(kGemma + "tiny-hf").tensors());
  const auto gguf = similarity(GgufFile(kGemma + "tiny-bf16.gguf").tensors());
  REQUIRE(hf.size() == gguf.size());
  for (std::size_t i = 0; i < hf.size(); ++i) {
    CHECK(hf[i].whole.max == Approx(gguf[i].whole.max).margin(1e-6));
    CHECK(hf[i].whole.first == gguf[i].whole.first);
  }
}

TEST_CASE("two experts of the same weights are found, whatever their scale") {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  std::vector<float> values(5 * 3 * 40);
  for (auto& x : values) x = normal(random);
  for (std::size_t k = 0; k < 120; ++k) values[4 * 120 + k] = 3 * values[120 + k];
  const std::vector<TensorView> tensors = {
      {"blk.0.ffn_down_exps.weight", *block_format(0), {40, 3, 5}, std::as_bytes(std::span(values))}};
  const auto found = similarity(tensors).front();
  CHECK(found.whole.max == Approx(1).margin(1e-6));
  CHECK(found.whole.first == 1);
  CHECK(found.whole.second == 4);
}

TEST_CASE("models without experts, and experts that can't be compared, are refused") {
  std::vector<float> values(16, 1.0f);
  const auto view = [&](const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t format = 0) {
    return TensorView{name, *block_format(format), std::move(shape), std::as_bytes(std::span(values))};
  };
  const auto refusal = [](const std::vector<TensorView>& tensors) {
    try {
      similarity(tensors);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(refusal({view("blk.0.ffn_down.weight", {4, 4})}), Contains("no tensors of experts"));
  CHECK_THAT(refusal({view("blk.0.ffn_down_exps.weight", {4, 4})}), Contains("expected three dimensions"));
  CHECK_THAT(refusal({view("blk.0.ffn_down_exps.weight", {4, 4, 1})}), Contains("the last of 2 to"));
  CHECK_THAT(
      refusal({view("blk.0.ffn_down_exps.weight", {2, 2, 4}), view("blk.0.ffn_up_exps.weight", {4, 2, 2})}),
      Contains("2 experts, but blk.0.ffn_down_exps.weight has 4"));
  CHECK_THAT(refusal({view("blk.0.ffn_down_exps.weight", {32, 1, 2}, 3)}),
             Contains("type Q4_1 can't be read"));
  values[5] = std::nanf("");
  CHECK_THAT(refusal({view("blk.0.ffn_down_exps.weight", {2, 2, 4})}),
             Contains("expert 1: its weights aren't all"));
}
