// A backend that takes the time of each operation of another one, and counts what it must read and compute.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runners/embedded/backend/backend.h"

namespace gpqa {

// All calls of one operation with one kind of weight, in all layers.
struct OpTime {
  std::string name;  // of the operation, or of the tensor it multiplies with, without layer and suffix
  std::size_t calls = 0;
  double seconds = 0;
  std::uint64_t bytes = 0;  // weights as the file holds them, each once a call; keys and values that are seen
  std::uint64_t products = 0;  // multiplications with weights, keys and values
};

class TimedBackend final : public Backend {
 public:
  explicit TimedBackend(std::unique_ptr<Backend> of);

  // Since the last call of it, the longest first.
  std::vector<OpTime> take();

  std::unique_ptr<Weight> load(const TensorView& weight, Inputs inputs, RowRange rows) override;
  std::unique_ptr<Buffer> make_buffer(std::size_t rows, std::size_t width) override;
  std::unique_ptr<KvCache> make_kv(const KvShape& shape) override;
  std::unique_ptr<Routing> make_routing(std::size_t tokens, std::size_t used) override;
  std::vector<float> read_back(const Tensor& x) override;
  RoutingOnHost read_back(const Routing& routing) override;

  void embed(Tensor out, const Weight& table, const Batch& batch, float factor) override;
  void gather_rows(Tensor out, Tensor x, std::span<const std::size_t> from) override;
  void rms_norm(Tensor out, Tensor x, const Weight* weight, float eps) override;
  void multiply(Tensor out, Tensor x, const Weight& weight, float factor) override;
  void add(Tensor out, Tensor a, Tensor b) override;
  void scale(Tensor x, float factor) override;
  void softcap(Tensor x, float cap) override;
  void linear(Tensor out, Tensor x, const Weight& weight) override;
  void gated_linear(Tensor out, Tensor x, const Weight& gate, const Weight& up) override;
  void rope(Tensor x, const Weight& inv_freq, std::size_t head_dim, const Batch& batch) override;
  void store_kv(KvCache& kv, Tensor k, Tensor v, const Batch& batch) override;
  void attention(Tensor out, Tensor q, const KvCache& kv, std::size_t heads, const Batch& batch) override;
  void route(Routing& routing, Tensor logits, const Weight& scales) override;
  void expert_linear(Tensor out, Tensor x, const Weight& weight, const Routing& routing) override;
  void expert_gated_linear(Tensor out, Tensor x, const Weight& gate, const Weight& up,
                           const Routing& routing) override;
  void combine(Tensor out, Tensor outs, const Routing& routing) override;

 private:
  struct Cost {
    std::uint64_t bytes = 0;
    std::uint64_t products = 0;
    Cost operator+(const Cost& more) const { return {bytes + more.bytes, products + more.products}; }
  };
  struct Known {  // of a weight
    std::string name;
    std::uint64_t bytes = 0;
  };

  template <class Operation>
  double seconds_of(const Operation& operation) const;
  void count(const std::string& name, double seconds, Cost cost);
  const Known& known(const Weight& weight) const;
  std::string both_names(const Weight& gate, const Weight& up) const;
  Cost matrix_cost(const Weight& weight, std::size_t tokens) const;
  // Of the experts that the routing's tokens chose.
  Cost expert_cost(const Weight& weight, const Routing& routing);

  std::unique_ptr<Backend> of_;
  std::map<const Weight*, Known> weights_;
  std::map<std::string, OpTime> times_;
};

}  // namespace gpqa
