#include "runners/embedded/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "runners/embedded/backend/cpu/attention.h"
#include "runners/embedded/backend/cpu/cpu_memory.h"
#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/embedded/backend/cpu/linear.h"
#include "runners/embedded/backend/cpu/packed_file.h"
#include "runners/embedded/backend/cpu/router.h"
#include "runners/embedded/backend/cpu/thread_pool.h"
#include "runners/model_files/dequantize.h"

namespace gpqa {
namespace {

class CpuBackend final : public Backend {
 public:
  CpuBackend(const CpuOptions& options, PackedStore store)
      : kernels_(options.kernels != nullptr ? *options.kernels : *usable_kernels().back()),
        pool_(std::max<std::size_t>(options.threads, 1)),
        linear_(kernels_, options.arithmetic, pool_),
        store_(std::move(store)) {}

  std::unique_ptr<Weight> load(const TensorView& weight, Inputs inputs, RowRange part) override {
    if (!can_dequantize(weight.format))
      throw InputError(
          fmt::format("tensor {}: its type {} can't be computed with here; expected F32, F16, BF16, Q8_0, "
                      "Q6_K, Q5_K, Q4_K, "
                      "Q5_0 or Q4_0",
                      weight.name, weight.format.name));
    auto loaded = std::make_unique<CpuWeight>();
    if (weight.shape.size() < 2) {
      loaded->vector.resize(weight.elements());
      dequantize(weight.format, weight.bytes, loaded->vector);
      return loaded;
    }
    loaded->inputs = inputs;
    loaded->matrix = pack(weight, part);
    return loaded;
  }
  std::unique_ptr<Buffer> make_buffer(std::size_t rows, std::size_t width) override {
    return std::make_unique<CpuBuffer>(rows, width);
  }
  std::unique_ptr<KvCache> make_kv(const KvShape& shape) override {
    return std::make_unique<CpuKvCache>(shape, memory_);
  }
  std::unique_ptr<Routing> make_routing(std::size_t, std::size_t used) override {
    auto routing = std::make_unique<CpuRouting>();
    routing->chosen.used = used;
    return routing;
  }
  std::vector<float> read_back(const Tensor& x) override {
    std::vector<float> all;
    all.reserve(x.rows * x.width);
    for (std::size_t r = 0; r < x.rows; ++r) {
      const auto row = row_of(x, r);
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  }
  RoutingOnHost read_back(const Routing& routing) override {
    return static_cast<const CpuRouting&>(routing).chosen;
  }

  void embed(Tensor out, const Weight& table, const Batch& batch, float factor) override {
    linear_.embed(out, on_cpu(table), batch, factor);
  }
  void gather_rows(Tensor out, Tensor x, std::span<const std::size_t> from) override {
    assert(out.rows == from.size() && out.width == x.width);
    each_row(out, kOnce, [&](std::size_t r) {
      const auto row = row_of(x, from[r]);
      std::copy(row.begin(), row.end(), row_of(out, r).begin());
    });
  }
  void rms_norm(Tensor out, Tensor x, const Weight* weight, float eps) override {
    assert(weight == nullptr || weight->width() == x.width);
    const float* w = weight == nullptr ? nullptr : on_cpu(*weight).vector.data();
    each_row(x, kTwice, [&](std::size_t r) {
      kernels_.rms_norm(row_of(out, r).data(), row_of(x, r).data(), w, eps, x.width);
    });
  }
  void multiply(Tensor out, Tensor x, const Weight& weight, float factor) override {
    assert(weight.width() == x.width);
    const auto& w = on_cpu(weight).vector;
    each_row(x, kOnce, [&](std::size_t r) {
      const auto from = row_of(x, r);
      const auto to = row_of(out, r);
      for (std::size_t i = 0; i < x.width; ++i) to[i] = from[i] * w[i] * factor;
    });
  }
  void add(Tensor out, Tensor a, Tensor b) override {
    each_row(out, kOnce, [&](std::size_t r) {
      const auto x = row_of(a, r);
      const auto y = row_of(b, r);
      const auto to = row_of(out, r);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = x[i] + y[i];
    });
  }
  void scale(Tensor x, float factor) override {
    each_row(x, kOnce, [&](std::size_t r) {
      for (float& value : row_of(x, r)) value *= factor;
    });
  }
  void softcap(Tensor x, float cap) override {
    each_row(x, kTranscendental, [&](std::size_t r) { kernels_.softcap(row_of(x, r).data(), cap, x.width); });
  }
  void linear(Tensor out, Tensor x, const Weight& weight) override {
    linear_.linear(out, x, nullptr, on_cpu(weight));
  }
  void gated_linear(Tensor out, Tensor x, const Weight& gate, const Weight& up) override {
    linear_.linear(out, x, &on_cpu(gate), on_cpu(up));
  }

  void rope(Tensor x, const Weight& inv_freq, std::size_t head_dim, const Batch& batch) override {
    cpu_rope(pool_, x, on_cpu(inv_freq), head_dim, batch);
  }
  void store_kv(KvCache& kv, Tensor k, Tensor v, const Batch& batch) override {
    cpu_store_kv(kernels_, pool_, static_cast<CpuKvCache&>(kv), k, v, batch);
  }
  void attention(Tensor out, Tensor q, const KvCache& kv, std::size_t heads, const Batch& batch) override {
    cpu_attention(kernels_, pool_, out, q, static_cast<const CpuKvCache&>(kv), heads, batch);
  }

  void route(Routing& routing, Tensor logits, const Weight& scales) override {
    cpu_route(kernels_, pool_, static_cast<CpuRouting&>(routing), logits, on_cpu(scales));
  }
  void expert_linear(Tensor out, Tensor x, const Weight& weight, const Routing& routing) override {
    linear_.expert_linear(out, x, nullptr, on_cpu(weight), static_cast<const CpuRouting&>(routing));
  }
  void expert_gated_linear(Tensor out, Tensor x, const Weight& gate, const Weight& up,
                           const Routing& routing) override {
    linear_.expert_linear(out, x, &on_cpu(gate), on_cpu(up), static_cast<const CpuRouting&>(routing));
  }
  void combine(Tensor out, Tensor outs, const Routing& routing) override {
    cpu_combine(kernels_, pool_, out, outs, static_cast<const CpuRouting&>(routing));
  }

 private:
  // What an element of a row costs, as ThreadPool counts work.
  static constexpr std::size_t kOnce = 1;
  static constexpr std::size_t kTwice = 2;
  static constexpr std::size_t kTranscendental = 8;

  std::unique_ptr<PackedMatrix> pack(const TensorView& weight, RowRange part) {
    const std::size_t all = weight.shape[1];
    const std::size_t rows = part.count == 0 ? all : part.count;
    assert(part.first + rows <= all);
    const std::size_t experts = weight.rows() / std::max<std::size_t>(all, 1);
    const std::string key = fmt::format("{} {}+{}", weight.name, part.first, rows);
    if (store_.from != nullptr) {
      const auto bytes = store_.from->find(
          key, PackedMatrix::bytes_needed(weight.format, weight.row_elements(), rows, experts));
      if (!bytes.empty())
        return std::make_unique<PackedMatrix>(weight.format, weight.row_elements(), rows, experts, bytes,
                                              store_.from);
    }
    auto matrix =
        std::make_unique<PackedMatrix>(weight.format, weight.row_elements(), rows, experts, memory_);
    const std::size_t tiles = matrix->tiles();
    pool_.run(experts * tiles, [&](std::size_t task, std::size_t) {
      const std::size_t tile = task % tiles * kTileRows;
      const std::size_t count = std::min(kTileRows, rows - tile);
      const std::size_t first = task / tiles * all + part.first + tile;
      matrix->pack(task / tiles, task % tiles,
                   weight.bytes.subspan(first * weight.row_bytes(), count * weight.row_bytes()));
    });
    if (store_.to != nullptr) store_.to->add(key, matrix->packed());
    return matrix;
  }

  template <class Step>
  void each_row(Tensor rows, std::size_t cost, const Step& step) {
    pool_.run(
        rows.rows, [&](std::size_t r, std::size_t) { step(r); }, rows.rows * rows.width * cost);
  }

  const Kernels& kernels_;
  ThreadPool pool_;
  CpuLinear linear_;
  PackedStore store_;
  HugePages memory_;
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options, PackedStore store) {
  return std::make_unique<CpuBackend>(options, std::move(store));
}

}  // namespace gpqa
