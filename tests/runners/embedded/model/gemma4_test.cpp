// The forward pass against transformers in float32 (hf.*), and against the same forward on dequantised
// weights (dq-*).
#include <algorithm>
#include <cmath>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/embedded/engine/divergence.h"
#include "runners/model_files/dequantize.h"
#include "tests/catch.h"
#include "tests/runners/embedded/tiny_model.h"

using namespace gpqa;
using gpqa_test::kGemmaData;
using gpqa_test::read_floats;
using gpqa_test::TinyModel;

namespace {

using Json = nlohmann::json;

Json golden(const std::string& sequence) {
  return Json::parse(std::ifstream(kGemmaData + "golden/hf." + sequence + ".json"));
}

double most_apart(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    REQUIRE(std::isfinite(a[i]));
    most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return most;
}

// What each layer computed, brought to the host.
struct Kept : LayerObserver {
  struct Layer {
    std::vector<float> after_attention, router_logits, expert_outputs, out;
    RoutingOnHost routing;
  };
  explicit Kept(Backend& of) : backend(of) {}
  void on_layer(const LayerView& view) override {
    layers.push_back({backend.read_back(view.after_attention), backend.read_back(view.router_logits),
                      backend.read_back(view.expert_outputs), backend.read_back(view.out),
                      backend.read_back(*view.routing)});
  }
  Backend& backend;
  std::vector<Layer> layers;
};

std::vector<float> last_row(const std::vector<float>& all, std::size_t width) {
  return {all.end() - static_cast<std::ptrdiff_t>(width), all.end()};
}

std::vector<float> values_of(const TinyModel& tiny, const std::string& tensor) {
  const TensorView* view = tiny.source.find(tensor);
  REQUIRE(view != nullptr);
  std::vector<float> values(view->elements());
  dequantize(view->format, view->bytes, values);
  return values;
}

double dot(const float* a, const double* b, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// What an expert makes of a token whose state after the attention is `r`: down(gelu(gate x) * up x),
// x = norm(r).
std::vector<float> expert_output(const TinyModel& tiny, const std::string& layer, std::size_t expert,
                                 std::span<const float> r) {
  const auto& c = tiny.model->config();
  const auto norm = values_of(tiny, layer + "pre_ffw_norm_2.weight");
  const auto gate_up = values_of(tiny, layer + "ffn_gate_up_exps.weight");
  const auto down = values_of(tiny, layer + "ffn_down_exps.weight");
  double squares = 0;
  for (const double number : r) squares += number * number;
  std::vector<double> x;
  for (std::size_t i = 0; i < c.hidden; ++i)
    x.push_back(r[i] / std::sqrt(squares / static_cast<double>(c.hidden) + c.eps) * norm[i]);
  std::vector<double> hidden;
  for (std::size_t i = 0; i < c.expert_ffn; ++i) {
    const float* rows = &gate_up[expert * 2 * c.expert_ffn * c.hidden];
    const double g = dot(rows + i * c.hidden, x.data(), c.hidden);
    const double u = dot(rows + (c.expert_ffn + i) * c.hidden, x.data(), c.hidden);
    hidden.push_back(0.5 * g * (1 + std::tanh(std::sqrt(2 / M_PI) * (g + 0.044715 * g * g * g))) * u);
  }
  std::vector<float> out;
  for (std::size_t i = 0; i < c.hidden; ++i)
    out.push_back(
        static_cast<float>(dot(&down[(expert * c.hidden + i) * c.expert_ffn], hidden.data(), c.expert_ffn)));
  return out;
}

}  // namespace

TEST_CASE("float32 logits equal transformers' at every position") {
  const Kernels* kernels = GENERATE(from_range(usable_kernels()));
  INFO(kernels->name);
  const auto sequence = GENERATE(as<std::string>(), "short", "chat", "long");
  TinyModel tiny(kGemmaData + "tiny-bf16.gguf",
                 {.threads = 2, .arithmetic = Arithmetic::float32, .kernels = kernels});
  const auto ids = golden(sequence).at("ids").get<std::vector<std::int32_t>>();
  const auto expected = read_floats(kGemmaData + "golden/hf." + sequence + ".logits.f32");
  // transformers' own two attention and expert paths differ by 2e-5.
  CHECK(most_apart(tiny.logits(ids), expected) < 5e-5);
}

TEST_CASE("a Hugging Face checkpoint is read as it is, a pruned one too") {
  const auto [folder, logits] =
      GENERATE(table<std::string, std::string>({{"tiny-hf", "hf"}, {"tiny-pruned-hf", "pruned"}}));
  const auto sequence = GENERATE(as<std::string>(), "short", "chat");
  INFO(folder << " " << sequence);
  TinyModel tiny(kGemmaData + folder, {.threads = 2, .arithmetic = Arithmetic::float32});
  const auto ids = golden(sequence).at("ids").get<std::vector<std::int32_t>>();
  const auto expected = read_floats(kGemmaData + "golden/" + logits + "." + sequence + ".logits.f32");
  CHECK(most_apart(tiny.logits(ids), expected) < 5e-5);  // as above
}

TEST_CASE("every layer's states, experts and router weights are transformers'") {
  const Kernels* kernels = GENERATE(from_range(usable_kernels()));
  INFO(kernels->name);
  const auto sequence = GENERATE(as<std::string>(), "short", "chat", "long");
  TinyModel tiny(kGemmaData + "tiny-bf16.gguf",
                 {.threads = 2, .arithmetic = Arithmetic::float32, .kernels = kernels});
  const Json expected = golden(sequence);
  const auto ids = expected.at("ids").get<std::vector<std::int32_t>>();
  Kept kept(*tiny.backend);
  tiny.logits(ids, &kept);
  const auto& config = tiny.model->config();
  REQUIRE(kept.layers.size() == expected.at("layers").size());
  for (std::size_t i = 0; i < kept.layers.size(); ++i) {
    INFO("layer " << i);
    const auto& layer = expected.at("layers")[i];
    const auto& got = kept.layers[i];
    CHECK(most_apart(last_row(got.after_attention, config.hidden), layer.at("attn_out_last")) < 2e-5);
    CHECK(most_apart(last_row(got.out, config.hidden), layer.at("out_last")) < 2e-5);
    // The probabilities over all experts, from the logits.
    auto p = last_row(got.router_logits, config.experts);
    usable_kernels().front()->softmax(p.data(), p.size());
    CHECK(most_apart(p, layer.at("router_probs_last")) < 1e-6);
    REQUIRE(got.routing.experts.size() == ids.size() * config.experts_used);
    for (std::size_t t = 0; t < ids.size(); ++t)
      for (std::size_t j = 0; j < config.experts_used; ++j) {
        const std::size_t at = t * config.experts_used + j;
        INFO("token " << t << ", choice " << j);
        CHECK(got.routing.experts[at] == layer.at("router_ids")[t][j]);
        CHECK(std::abs(got.routing.shares[at] - layer.at("router_weights_norm")[t][j].get<float>()) < 2e-6F);
        // The share's bound, times the expert's own scale.
        const float scale = std::max(got.routing.weights[at] / got.routing.shares[at], 1.0F);
        CHECK(std::abs(got.routing.weights[at] - layer.at("router_weights_scaled")[t][j].get<float>()) <
              2e-6F * scale);
      }
    CHECK(got.expert_outputs.size() == ids.size() * config.experts_used * config.hidden);
  }
}

TEST_CASE("an expert's output can be read before it is mixed, and is the expert's alone") {
  TinyModel tiny(kGemmaData + "tiny-bf16.gguf", {.threads = 2, .arithmetic = Arithmetic::float32});
  const auto ids = golden("short").at("ids").get<std::vector<std::int32_t>>();
  Kept kept(*tiny.backend);
  tiny.logits(ids, &kept);
  const auto& c = tiny.model->config();
  for (std::size_t i = 0; i < kept.layers.size(); ++i) {
    const auto& layer = kept.layers[i];
    for (const std::size_t token : {std::size_t{0}, ids.size() - 1})
      for (std::size_t j = 0; j < c.experts_used; ++j) {
        const std::size_t at = token * c.experts_used + j;
        INFO("layer " << i << ", token " << token << ", choice " << j);
        const auto state = std::span(layer.after_attention).subspan(token * c.hidden, c.hidden);
        const auto expert = static_cast<std::size_t>(layer.routing.experts[at]);
        const auto begin = layer.expert_outputs.begin() + static_cast<std::ptrdiff_t>(at * c.hidden);
        const std::vector<float> got(begin, begin + static_cast<std::ptrdiff_t>(c.hidden));
        const auto expected = expert_output(tiny, "blk." + std::to_string(i) + ".", expert, state);
        // float32 sums of 256 and of 32 products.
        CHECK(most_apart(got, expected) < 2e-5);
      }
  }
}

TEST_CASE("64 greedy tokens are transformers'") {
  const auto sequence = GENERATE(as<std::string>(), "short", "chat", "long");
  TinyModel tiny(kGemmaData + "tiny-bf16.gguf", {.threads = 2, .arithmetic = Arithmetic::float32});
  const Json expected = golden(sequence);
  const auto ids = expected.at("ids").get<std::vector<std::int32_t>>();
  auto logits = last_row(tiny.logits(ids), tiny.model->config().vocabulary);
  std::vector<std::int32_t> written;
  while (written.size() < 64) {
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    written.push_back(static_cast<std::int32_t>(best));
    const auto position = static_cast<std::int32_t>(ids.size() + written.size() - 1);
    const std::size_t last[] = {0};
    logits = tiny.backend->read_back(
        tiny.model->forward({.ids = {written.back()}, .positions = {position}, .slots = {0}}, last));
  }
  CHECK(written == expected.at("greedy_64").get<std::vector<std::int32_t>>());
}

TEST_CASE("quantised files in float32 equal the same forward on dequantised weights") {
  const Kernels* kernels = GENERATE(from_range(usable_kernels()));
  INFO(kernels->name);
  const auto type = GENERATE(as<std::string>(), "q8_0", "q6_k", "q4_k_m");
  const auto sequence = GENERATE(as<std::string>(), "short", "chat");
  TinyModel tiny(kGemmaData + "tiny-" + type + ".gguf",
                 {.threads = 2, .arithmetic = Arithmetic::float32, .kernels = kernels});
  const auto ids = golden(sequence).at("ids").get<std::vector<std::int32_t>>();
  const auto expected = read_floats(kGemmaData + "golden/dq-" + type + "." + sequence + ".logits.f32");
  INFO(type << " " << sequence);
  CHECK(most_apart(tiny.logits(ids), expected) < 5e-5);  // as above
}

TEST_CASE("8-bit inputs bring no more divergence than llama.cpp's do on the same file") {
  const Kernels* kernels = GENERATE(from_range(usable_kernels()));
  INFO(kernels->name);
  const auto type = GENERATE(as<std::string>(), "q8_0", "q6_k", "q4_k_m");
  const auto sequence = GENERATE(as<std::string>(), "short", "chat");
  const Json measured = Json::parse(std::ifstream(kGemmaData + "golden/dequantised_compare.json"))
                            .at(type)
                            .at(sequence)
                            .at("llama_vs_dequantised_fp32");
  TinyModel tiny(kGemmaData + "tiny-" + type + ".gguf",
                 {.threads = 2, .arithmetic = Arithmetic::int8, .kernels = kernels},
                 {.slots = 1, .cells = 512, .max_tokens = 512, .max_logits = 512, .kv = KvType::f16});
  const auto ids = golden(sequence).at("ids").get<std::vector<std::int32_t>>();
  const auto expected = read_floats(kGemmaData + "golden/dq-" + type + "." + sequence + ".logits.f32");
  const auto got = tiny.logits(ids);
  const std::size_t width = tiny.model->config().vocabulary;
  Divergence sum;
  for (std::size_t t = 0; t < ids.size(); ++t)
    sum += compare_logits(std::span(expected).subspan(t * width, width),
                          std::span(got).subspan(t * width, width), 0);
  const double mean_kl = sum.kl / static_cast<double>(ids.size());
  INFO(type << " " << sequence << ": KL " << mean_kl << ", llama.cpp " << measured.at("kl_mean"));
  CHECK(mean_kl <= measured.at("kl_mean").get<double>());
  // They are rounded: to 16 bits everywhere, where 8 bits are no faster.
  const bool bytes = kernels->panels.multiplies_bytes(type == "q8_0" ? 8 : 14);  // ggml's ids
  CHECK(mean_kl > (bytes ? 1e-5 : 1e-12));
}

TEST_CASE("8-bit inputs leave a file without quantised weights as it is") {
  TinyModel exact(kGemmaData + "tiny-bf16.gguf", {.threads = 1, .arithmetic = Arithmetic::float32});
  TinyModel rounded(kGemmaData + "tiny-bf16.gguf", {.threads = 1, .arithmetic = Arithmetic::int8});
  const auto ids = golden("short").at("ids").get<std::vector<std::int32_t>>();
  CHECK(exact.logits(ids) == rounded.logits(ids));
}
