// Each operation of the CPU backend against its formula in double precision, on every instruction set that
// this machine has.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "runners/embedded/backend/cpu/cpu_backend.h"
#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/model_files/block_formats.h"
#include "runners/model_files/dequantize.h"
#include "tests/catch.h"

using namespace gpqa;

namespace {

std::vector<float> random_floats(std::size_t count, std::mt19937& random, float size = 1) {
  std::normal_distribution<float> normal(0, size);
  std::vector<float> all(count);
  for (float& x : all) x = normal(random);
  return all;
}

struct Filled {
  std::unique_ptr<Buffer> buffer;
  Tensor tensor;
};

// A buffer with these numbers: written through an F32 table that is embedded row by row.
Filled fill(Backend& backend, const std::vector<float>& numbers, std::size_t width) {
  const TensorView table{.name = "numbers",
                         .format = *block_format(0),
                         .shape = {width, numbers.size() / width},
                         .bytes = std::as_bytes(std::span(numbers))};
  Batch batch;
  for (std::size_t i = 0; i < numbers.size() / width; ++i) batch.add(static_cast<std::int32_t>(i), 0, 0);
  Filled filled{backend.make_buffer(batch.size(), width), {}};
  filled.tensor = filled.buffer->tensor();
  backend.embed(filled.tensor, *backend.load(table), batch, 1);
  return filled;
}

std::unique_ptr<Weight> weight_of(Backend& backend, const std::vector<float>& numbers,
                                  std::vector<std::uint64_t> shape) {
  return backend.load({.name = "w",
                       .format = *block_format(0),
                       .shape = std::move(shape),
                       .bytes = std::as_bytes(std::span(numbers))});
}

double gelu(double x) {
  // x/2 (1 + tanh(u)), without the difference of two numbers near 1
  return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

template <class Expected>
void check_close(const std::vector<float>& got, const Expected& expected, double relative, double absolute) {
  std::size_t bad = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double want = expected(i);
    if (!(std::abs(got[i] - want) <= absolute + relative * std::abs(want)) && ++bad < 5) {
      CAPTURE(i, got[i], want);
      CHECK(false);
    }
  }
  CHECK(bad == 0);
}

constexpr double kUnit = 6e-8;         // half a unit of float32's last place, relative
constexpr double kGelu = 200 * kUnit;  // its exponent is rounded, and may be as large as 88

}  // namespace

TEST_CASE("elementwise operations and norms follow their formulas at any width") {
  const std::size_t width = GENERATE(1U, 15U, 16U, 33U, 256U, 704U);
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name << ", width " << width);
    const auto backend = make_cpu_backend({.threads = 2, .kernels = kernels});
    std::mt19937 random(static_cast<std::uint32_t>(width));
    const auto a = random_floats(5 * width, random, 4);
    const auto b = random_floats(5 * width, random);
    const auto w = random_floats(width, random);
    const auto weight = weight_of(*backend, w, {width});
    const auto x = fill(*backend, a, width);
    const auto y = fill(*backend, b, width);
    const auto out = backend->make_buffer(5, width);
    const auto result = [&] { return backend->read_back(out->tensor()); };

    backend->add(out->tensor(), x.tensor, y.tensor);
    check_close(
        result(), [&](std::size_t i) { return a[i] + b[i]; }, kUnit, 0);
    backend->multiply(out->tensor(), x.tensor, *weight, 0.25F);
    check_close(
        result(), [&](std::size_t i) { return static_cast<double>(a[i]) * w[i % width] * 0.25; }, 2 * kUnit,
        0);
    const auto mean = [&](std::size_t i) {
      double sum = 0;
      for (std::size_t j = 0; j < width; ++j)
        sum += std::pow(static_cast<double>(a[i / width * width + j]), 2);
      return sum / static_cast<double>(width);
    };
    backend->rms_norm(out->tensor(), x.tensor, weight.get(), 1e-6F);
    check_close(
        result(), [&](std::size_t i) { return a[i] / std::sqrt(mean(i) + 1e-6) * w[i % width]; }, 20 * kUnit,
        0);
    backend->rms_norm(out->tensor(), x.tensor, nullptr, 1e-6F);
    check_close(
        result(), [&](std::size_t i) { return a[i] / std::sqrt(mean(i) + 1e-6); }, 20 * kUnit, 0);
    backend->add(out->tensor(), x.tensor, x.tensor);
    backend->softcap(out->tensor(), 30);
    check_close(
        result(), [&](std::size_t i) { return 30 * std::tanh(2 * a[i] / 30); }, 4 * kUnit, 30 * 4 * kUnit);
    backend->scale(x.tensor, 3);
    check_close(
        backend->read_back(x.tensor), [&](std::size_t i) { return 3.0 * a[i]; }, kUnit, 0);
  }
}

TEST_CASE("gelu and softcap hold at the ends of their range") {
  for (const Kernels* kernels : usable_kernels()) {
    std::vector<float> gate = {-1e4F, -90, -30, -8, -1e-4F, 0, 1e-4F, 8, 30, 90, 1e4F};
    const std::vector<float> up(gate.size(), 1.0F);
    std::vector<float> out(gate.size());
    kernels->gelu_multiply(out.data(), gate.data(), up.data(), gate.size());
    check_close(
        out, [&](std::size_t i) { return gelu(gate[i]); }, kGelu, 1e-30);
    kernels->softcap(gate.data(), 30, gate.size());
    CHECK(gate.front() == -30.0F);
    CHECK(gate.back() == 30.0F);
  }
}

namespace {

// Random blocks whose scales are sane: random bits are none, so each float16 in them is set to one.
std::vector<std::byte> random_blocks(const BlockFormat& format, std::size_t elements, std::mt19937& random) {
  std::vector<std::byte> bytes(elements / format.elements * format.bytes);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  const auto sane = [&](std::size_t at) {
    const std::uint16_t bits = static_cast<std::uint16_t>(0x2000U + random() % 0x800U);
    std::memcpy(bytes.data() + at, &bits, sizeof bits);
  };
  if (format.elements == 1) {
    const auto numbers = random_floats(elements, random);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      std::uint32_t word = 0;
      std::memcpy(&word, &numbers[i], sizeof word);
      if (format.bytes == 4) std::memcpy(bytes.data() + 4 * i, &word, 4);
      if (format.name == "BF16")
        std::memcpy(bytes.data() + 2 * i, reinterpret_cast<const char*>(&word) + 2, 2);
      if (format.name == "F16") sane(2 * i);
    }
    return bytes;
  }
  for (std::size_t at = 0; at < bytes.size(); at += format.bytes) {
    sane(format.name == "Q6_K" ? at + 208 : at);
    if (format.name == "Q4_K" || format.name == "Q5_K") sane(at + 2);
  }
  return bytes;
}

// How far a product of a row and a token may be from its formula: variance of what is rounded to `steps`
// either side of zero within each `block` numbers (steps of s err by s^2 / 12), and of float32 sums.
double allowed(const float* row, const float* token, std::size_t width, std::size_t block, double steps) {
  double size = 0;
  double noise = 0;
  for (std::size_t j = 0; j < width; ++j) {
    size += std::abs(static_cast<double>(row[j]) * token[j]);
    float most = 0;
    for (std::size_t k = j / block * block; k < std::min(width, (j / block + 1) * block); ++k)
      most = std::max(most, std::abs(token[k]));
    noise += std::pow(row[j] * most / steps, 2) / 12;
  }
  return 30 * kUnit * size + (steps > 0 ? 6 * std::sqrt(noise) : 0);
}

double product(const float* row, const float* token, std::size_t width) {
  double sum = 0;
  for (std::size_t j = 0; j < width; ++j) sum += static_cast<double>(row[j]) * token[j];
  return sum;
}

}  // namespace

TEST_CASE(
    "a matrix product is the sum of products, for every type of weight, the same alone and among others") {
  const auto type = GENERATE(0U, 1U, 30U, 2U, 6U, 8U, 12U, 13U, 14U);  // ggml's ids
  const auto format = *block_format(type);
  // Panels that are not full, where the format's blocks allow it; rows that fill no tile.
  const std::size_t width = format.elements == 256 ? 512 : format.elements == 32 ? 352 : 299;
  constexpr std::size_t kRows = 19;
  constexpr std::size_t kTokens = 15;  // 8 + 4 + 2 + 1
  std::mt19937 random(type);
  const auto bytes = random_blocks(format, width * kRows, random);
  std::vector<float> w(width * kRows);
  dequantize(format, bytes, w);
  const auto x = random_floats(kTokens * width, random);
  const TensorView view{.name = "w", .format = format, .shape = {width, kRows}, .bytes = bytes};
  for (const Kernels* kernels : usable_kernels())
    for (const auto arithmetic : {Arithmetic::float32, Arithmetic::int8})
      for (const auto inputs : {Inputs::may_be_rounded, Inputs::exact}) {
        INFO(format.name << ", " << kernels->name << (arithmetic == Arithmetic::int8 ? ", int8" : "")
                         << (inputs == Inputs::exact ? ", exact" : ""));
        const auto backend = make_cpu_backend({.threads = 2, .arithmetic = arithmetic, .kernels = kernels});
        const auto in = fill(*backend, x, width);
        const auto out = backend->make_buffer(kTokens, kRows);
        backend->linear(out->tensor(), in.tensor, *backend->load(view, inputs));
        const auto got = backend->read_back(out->tensor());
        // One token alone, by one thread: the same bits.
        const auto lone = make_cpu_backend({.threads = 1, .arithmetic = arithmetic, .kernels = kernels});
        const auto again = lone->load(view, inputs);
        for (std::size_t t = 0; t < kTokens; ++t) {
          const auto one = lone->make_buffer(1, kRows);
          const auto token = fill(*lone,
                                  {x.begin() + static_cast<std::ptrdiff_t>(t * width),
                                   x.begin() + static_cast<std::ptrdiff_t>((t + 1) * width)},
                                  width);
          lone->linear(one->tensor(), token.tensor, *again);
          CHECK(std::memcmp(lone->read_back(one->tensor()).data(), got.data() + t * kRows,
                            kRows * sizeof(float)) == 0);
        }
        const bool rounded = arithmetic == Arithmetic::int8 && format.elements > 1;
        const bool bytes_used = inputs != Inputs::exact && kernels->panels.unpack_bytes != nullptr;
        std::size_t bad = 0;
        for (std::size_t i = 0; i < got.size(); ++i) {
          const float* row = w.data() + i % kRows * width;
          const float* token = x.data() + i / kRows * width;
          const double bound = !rounded     ? allowed(row, token, width, 1, 0)
                               : bytes_used ? allowed(row, token, width, kQuantBlock, 127)
                                            : allowed(row, token, width, kPanelWidth, 32767);
          if (!(std::abs(got[i] - product(row, token, width)) <= bound)) ++bad;
        }
        CHECK(bad == 0);
      }
}

TEST_CASE("gated and expert products are gelu(gate x) * (up x), each token's experts in its own order") {
  constexpr std::size_t kWidth = 64;
  constexpr std::size_t kRows = 21;
  constexpr std::size_t kExperts = 5;
  constexpr std::size_t kUsed = 3;
  constexpr std::size_t kTokens = 9;
  std::mt19937 random(11);
  const auto both = random_floats(kWidth * 2 * kRows * kExperts, random, 0.2F);  // gate above up, as in files
  const auto down = random_floats(kRows * kWidth * kExperts, random);
  const auto x = random_floats(kTokens * kWidth, random);
  const auto logits = random_floats(kTokens * kExperts, random);
  const std::vector<float> scales(kExperts, 1.0F);
  const TensorView stack{.name = "gate_up",
                         .format = *block_format(0),
                         .shape = {kWidth, 2 * kRows, kExperts},
                         .bytes = std::as_bytes(std::span(both))};
  const auto hidden_of = [&](std::size_t t, std::size_t expert, std::size_t r) {
    const float* token = x.data() + t * kWidth;
    const float* gate = both.data() + (expert * 2 * kRows + r) * kWidth;
    return gelu(product(gate, token, kWidth)) * product(gate + kRows * kWidth, token, kWidth);
  };
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name);
    const auto backend = make_cpu_backend({.threads = 2, .kernels = kernels});
    const auto gate = backend->load(stack, Inputs::may_be_rounded, {0, kRows});
    const auto up = backend->load(stack, Inputs::may_be_rounded, {kRows, kRows});
    const auto in = fill(*backend, x, kWidth);
    const auto routing = backend->make_routing(kTokens, kUsed);
    backend->route(*routing, fill(*backend, logits, kExperts).tensor,
                   *weight_of(*backend, scales, {kExperts}));
    const auto chosen = backend->read_back(*routing).experts;
    const auto hidden = backend->make_buffer(kTokens * kUsed, kRows);
    backend->expert_gated_linear(hidden->tensor(), in.tensor, *gate, *up, *routing);
    // Sums of 64 products of numbers near 1, and what gelu makes of their rounding.
    check_close(
        backend->read_back(hidden->tensor()),
        [&](std::size_t i) {
          const std::size_t place = i / kRows;
          return hidden_of(place / kUsed, static_cast<std::size_t>(chosen[place]), i % kRows);
        },
        kGelu, 400 * kUnit);
    const auto outs = backend->make_buffer(kTokens * kUsed, kWidth);
    backend->expert_linear(outs->tensor(), hidden->tensor(),
                           *weight_of(*backend, down, {kRows, kWidth, kExperts}), *routing);
    check_close(
        backend->read_back(outs->tensor()),
        [&](std::size_t i) {
          const std::size_t place = i / kWidth;
          const auto expert = static_cast<std::size_t>(chosen[place]);
          double sum = 0;
          for (std::size_t r = 0; r < kRows; ++r)
            sum += hidden_of(place / kUsed, expert, r) * down[(expert * kWidth + i % kWidth) * kRows + r];
          return sum;
        },
        kGelu, 4000 * kUnit);
    const std::vector<float> first(both.begin(), both.begin() + kWidth * kRows);
    const auto dense = backend->make_buffer(kTokens, kRows);
    backend->gated_linear(dense->tensor(), in.tensor, *weight_of(*backend, first, {kWidth, kRows}),
                          *backend->load({.name = "up",
                                          .format = *block_format(0),
                                          .shape = {kWidth, 2 * kRows},
                                          .bytes = std::as_bytes(std::span(both))},
                                         Inputs::may_be_rounded, {kRows, kRows}));
    check_close(
        backend->read_back(dense->tensor()),
        [&](std::size_t i) { return hidden_of(i / kRows, 0, i % kRows); }, kGelu, 400 * kUnit);
  }
}

TEST_CASE("the router takes the most probable experts, the lower id where they tie") {
  const auto backend = make_cpu_backend({});
  const std::vector<float> logits = {1, 3, 3, 2, 0, 5, 5, 5, 5, 5};
  const std::vector<float> scales = {1, 2, 4, 8, 16};
  const auto in = fill(*backend, logits, 5);
  const auto routing = backend->make_routing(2, 3);
  backend->route(*routing, in.tensor, *weight_of(*backend, scales, {5}));
  const auto chosen = backend->read_back(*routing);
  CHECK(chosen.experts == std::vector<std::int32_t>{1, 2, 3, 0, 1, 2});
  const double whole = 2 * std::exp(3.0) + std::exp(2.0);
  check_close(
      chosen.shares,
      [&](std::size_t i) { return i >= 3 ? 1.0 / 3 : (i == 2 ? std::exp(2.0) : std::exp(3.0)) / whole; },
      10 * kUnit, 0);
  check_close(
      chosen.weights,
      [&](std::size_t i) {
        return static_cast<double>(chosen.shares[i]) * scales[static_cast<std::size_t>(chosen.experts[i])];
      },
      kUnit, 0);
}

namespace {

constexpr std::size_t kHeads = 6;
constexpr std::size_t kKvHeads = 2;

// Queries, keys and values of a sequence, and what attention makes of them in double precision.
struct Sequence {
  Sequence(std::size_t count, std::size_t head_dim, std::size_t sees)
      : tokens(count), dim(head_dim), window(sees) {
    std::mt19937 random(7);
    q = random_floats(tokens * kHeads * dim, random, 0.4F);
    k = random_floats(tokens * kKvHeads * dim, random);
    v = random_floats(tokens * kKvHeads * dim, random);
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t h = 0; h < kHeads; ++h) answer(t, h, h / (kHeads / kKvHeads));
  }
  void answer(std::size_t t, std::size_t h, std::size_t kv_head) {
    const std::size_t from = window != 0 && t >= window ? t - window + 1 : 0;
    std::vector<double> p;
    double total = 0;
    for (std::size_t key = from; key <= t; ++key) {
      p.push_back(std::exp(product(&q[(t * kHeads + h) * dim], &k[(key * kKvHeads + kv_head) * dim], dim)));
      total += p.back();
    }
    for (std::size_t d = 0; d < dim; ++d) {
      double sum = 0;
      for (std::size_t key = from; key <= t; ++key)
        sum += p[key - from] / total * v[(key * kKvHeads + kv_head) * dim + d];
      expected.push_back(sum);
    }
  }
  static std::vector<float> part(const std::vector<float>& all, std::size_t width, std::size_t from,
                                 std::size_t end) {
    return {all.begin() + static_cast<std::ptrdiff_t>(from * width),
            all.begin() + static_cast<std::ptrdiff_t>(end * width)};
  }
  // The answers [tokens, heads * dim], so many tokens a step, in slot 1.
  std::vector<float> run(Backend& backend, KvType type, std::size_t chunk) const {
    // As few cells as the model would take: the oldest are overwritten.
    const auto kv = backend.make_kv({.type = type,
                                     .slots = 2,
                                     .cells = window == 0 ? tokens : window + chunk - 1,
                                     .kv_heads = kKvHeads,
                                     .head_dim = dim,
                                     .window = window});
    std::vector<float> all;
    for (std::size_t t = 0; t < tokens; t += chunk) {
      const std::size_t end = std::min(t + chunk, tokens);
      Batch batch;
      for (std::size_t i = t; i < end; ++i) batch.add(0, i, 1);
      const auto query = fill(backend, part(q, kHeads * dim, t, end), kHeads * dim);
      const auto key = fill(backend, part(k, kKvHeads * dim, t, end), kKvHeads * dim);
      const auto value = fill(backend, part(v, kKvHeads * dim, t, end), kKvHeads * dim);
      const auto out = backend.make_buffer(end - t, kHeads * dim);
      backend.store_kv(*kv, key.tensor, value.tensor, batch);
      backend.attention(out->tensor(), query.tensor, *kv, kHeads, batch);
      const auto some = backend.read_back(out->tensor());
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
  std::size_t tokens, dim, window;
  std::vector<float> q, k, v;
  std::vector<double> expected;
};

}  // namespace

TEST_CASE("attention sees exactly the window, and all before it without one") {
  const std::size_t window = GENERATE(0U, 1U, 4U, 9U, 32U);
  const Sequence sequence(75, 8, window);
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name << ", window " << window);
    const auto two = make_cpu_backend({.threads = 2, .kernels = kernels});
    const auto one = make_cpu_backend({.threads = 1, .kernels = kernels});
    const auto singly = sequence.run(*one, KvType::f32, 1);
    check_close(
        singly, [&](std::size_t i) { return sequence.expected[i]; }, 100 * kUnit, 100 * kUnit);
    // A prompt in pieces: the same bits.
    for (const std::size_t chunk : {5U, 16U, 75U}) {
      const auto pieces = sequence.run(*two, KvType::f32, chunk);
      CHECK(std::memcmp(pieces.data(), singly.data(), singly.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("keys and values of fewer bits differ by their rounding") {
  // A unit of the last place of float16 is 2^-11 at most; q8_0 rounds to 127 steps of a block's largest
  // number, some 2.5 here. The scores are sums of 32 products (q 0.4, k 1), and p moves by what its score
  // does.
  const auto [type, rounding] =
      GENERATE(table<KvType, double>({{KvType::f16, 1.0 / 2048}, {KvType::q8_0, 2.5 / 127 / 2}}));
  const Sequence sequence(40, 32, 24);
  const double score = rounding * 0.4 * std::sqrt(32.0) * 5;
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name << ", " << kv_type_name(type));
    const auto backend = make_cpu_backend({.threads = 2, .kernels = kernels});
    const auto singly = sequence.run(*backend, type, 1);
    check_close(
        singly, [&](std::size_t i) { return sequence.expected[i]; }, 0, score + 4 * rounding);
    const auto exact = sequence.run(*backend, KvType::f32, 1);
    CHECK(singly != exact);
    CHECK(std::memcmp(sequence.run(*backend, type, 16).data(), singly.data(),
                      singly.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("float16 is the nearest one") {
  // Through the cache: a value that is alone is returned as it is kept.
  std::mt19937 random(5);
  std::vector<float> numbers = {0,        -0.0F,   1,       -1,         65504,         6.1e-5F,
                                5.96e-8F, 2.9e-8F, 3.1e-8F, 1.0009765F, 1.00048828125F};
  for (int i = 0; i < 5000; ++i)
    numbers.push_back(std::ldexp(static_cast<float>(random()) / 4e9F, static_cast<int>(random() % 40) - 24));
  numbers.resize(numbers.size() / 16 * 16);
  for (const Kernels* kernels : usable_kernels()) {
    INFO(kernels->name);
    const auto backend = make_cpu_backend({.threads = 1, .kernels = kernels});
    const auto kv = backend->make_kv(
        {.type = KvType::f16, .slots = 1, .cells = 1, .kv_heads = 1, .head_dim = numbers.size()});
    const auto value = fill(*backend, numbers, numbers.size());
    const auto zero = fill(*backend, std::vector<float>(numbers.size()), numbers.size());
    Batch batch;
    batch.add(0, 0, 0);
    const auto out = backend->make_buffer(1, numbers.size());
    backend->store_kv(*kv, zero.tensor, value.tensor, batch);
    backend->attention(out->tensor(), zero.tensor, *kv, 1, batch);
    const auto kept = backend->read_back(out->tensor());
    std::size_t bad = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      // Steps of 2^-10 of the power of two below, 2^-24 at the least.
      const double size = std::max(std::abs(static_cast<double>(numbers[i])), 1e-30);
      const double step = std::max(std::exp2(std::floor(std::log2(size)) - 10), std::exp2(-24));
      const double nearest = std::nearbyint(numbers[i] / step) * step;
      if (kept[i] != nearest) ++bad;
    }
    CHECK(bad == 0);
  }
}

TEST_CASE("the kernels of all instruction sets say almost the same") {
  std::mt19937 random(3);
  const auto a = random_floats(1000, random);
  const auto b = random_floats(1000, random);
  const float expected = kPortableKernels.dot(a.data(), b.data(), a.size());
  for (const Kernels* kernels : usable_kernels())
    CHECK(std::abs(kernels->dot(a.data(), b.data(), a.size()) - expected) < 1000 * kUnit);
}
