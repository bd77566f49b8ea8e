// runners/embedded/backend/: the arithmetic of a model on one device, some twenty operations. A backend owns
// the memory of its device; whoever drives it holds views and handles, and looks inside only by read_back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "runners/model_files/tensor_view.h"

namespace gpqa {

// float32 [rows, width] on the device, a row every `stride` elements. A view: the Buffer behind it owns. Only
// the backend may look through `data`.
struct Tensor {
  float* data = nullptr;
  std::size_t rows = 0;
  std::size_t width = 0;
  std::size_t stride = 0;

  Tensor first_rows(std::size_t count) const { return {data, count, width, stride}; }
  Tensor columns(std::size_t from, std::size_t count) const { return {data + from, rows, count, stride}; }
  // The same numbers as [rows * parts, width / parts]: the heads of each token. The rows must lie one after
  // the other.
  Tensor split_rows(std::size_t parts) const { return {data, rows * parts, width / parts, width / parts}; }
};

class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual Tensor tensor() const = 0;
};

// A matrix [rows, width], a stack of them [experts, rows, width], or a vector, in whatever form the kernels
// like best.
class Weight {
 public:
  virtual ~Weight() = default;
  virtual std::size_t width() const = 0;
  virtual std::size_t rows() const = 0;
  virtual std::size_t experts() const = 0;  // 1 for what is no stack
};

// Whether a backend that trades precision for speed may round what a matrix is multiplied with.
enum class Inputs { may_be_rounded, exact };

// Of each matrix: [first, first + count); all rows if count is 0.
struct RowRange {
  std::size_t first = 0;
  std::size_t count = 0;
};

// What keys and values are kept as. q8_0: blocks of 32 numbers of a head with a float16 scale, as ggml's.
enum class KvType { f32, f16, q8_0 };
constexpr std::string_view kv_type_name(KvType type) {
  return type == KvType::f32 ? "f32" : type == KvType::f16 ? "f16" : "q8_0";
}
// Bytes of so many numbers, whole blocks.
constexpr std::size_t kv_bytes(KvType type, std::size_t numbers) {
  return type == KvType::f32 ? 4 * numbers : type == KvType::f16 ? 2 * numbers : numbers / 32 * 34;
}

struct KvShape {
  KvType type = KvType::f32;
  std::size_t slots = 1;
  std::size_t cells = 0;  // positions that a slot holds; a layer with a window overwrites the oldest
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  std::size_t window = 0;  // keys that a query sees, itself included; 0: all before it
  std::size_t bytes() const { return kv_bytes(type, 2 * slots * cells * kv_heads * head_dim); }
};

// The keys and values of one layer, for all slots.
class KvCache {
 public:
  virtual ~KvCache() = default;
  virtual const KvShape& shape() const = 0;
};

// Which experts each token goes to, and with what weights. Stays on the device.
class Routing {
 public:
  virtual ~Routing() = default;
};

struct RoutingOnHost {
  std::size_t used = 0;               // experts a token
  std::vector<std::int32_t> experts;  // [tokens, used], the most probable first
  std::vector<float> shares;          // [tokens, used], summing to 1 for each token
  std::vector<float> weights;         // [tokens, used], shares times the experts' own scales
};

// The tokens of one step: of any number of sequences, each in a slot of its own, each sequence's in order.
struct Batch {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> positions;
  std::vector<std::uint32_t> slots;
  std::size_t size() const { return ids.size(); }
  void add(std::int32_t id, std::size_t position, std::uint32_t slot) {
    ids.push_back(id);
    positions.push_back(static_cast<std::int32_t>(position));
    slots.push_back(slot);
  }
};

// A row of any result depends on its own inputs only: never on which other rows are computed with it, how
// many, or by how many threads. Shapes are the caller's promise (asserted).
class Backend {
 public:
  virtual ~Backend() = default;

  // Memory. The bytes are copied, in whatever order the kernels read them. Throws InputError for a type that
  // no kernel reads.
  virtual std::unique_ptr<Weight> load(const TensorView& weight, Inputs inputs = Inputs::may_be_rounded,
                                       RowRange rows = {}) = 0;
  virtual std::unique_ptr<Buffer> make_buffer(std::size_t rows, std::size_t width) = 0;
  // Throws InputError for q8_0 where heads are no whole blocks.
  virtual std::unique_ptr<KvCache> make_kv(const KvShape& shape) = 0;
  virtual std::unique_ptr<Routing> make_routing(std::size_t tokens, std::size_t used) = 0;
  virtual std::vector<float> read_back(const Tensor& x) = 0;  // [rows, width]
  virtual RoutingOnHost read_back(const Routing& routing) = 0;

  // out[t] = table[ids[t]] * factor
  virtual void embed(Tensor out, const Weight& table, const Batch& batch, float factor) = 0;
  // out[r] = x[from[r]]
  virtual void gather_rows(Tensor out, Tensor x, std::span<const std::size_t> from) = 0;
  // out = x / sqrt(mean(x^2) + eps) * weight, row by row; without a weight if it is null. out may be x.
  virtual void rms_norm(Tensor out, Tensor x, const Weight* weight, float eps) = 0;
  // out = x * weight * factor, element by element. out may be x.
  virtual void multiply(Tensor out, Tensor x, const Weight& weight, float factor) = 0;
  // out = a + b. out may be either.
  virtual void add(Tensor out, Tensor a, Tensor b) = 0;
  virtual void scale(Tensor x, float factor) = 0;
  // x = cap * tanh(x / cap)
  virtual void softcap(Tensor x, float cap) = 0;
  // out[t] = weight x[t]      [tokens, width] -> [tokens, rows]
  virtual void linear(Tensor out, Tensor x, const Weight& weight) = 0;
  // out[t] = gelu_tanh(gate x[t]) * (up x[t])
  virtual void gated_linear(Tensor out, Tensor x, const Weight& gate, const Weight& up) = 0;

  // Turns dimensions i and i + head_dim/2 of each head by position * inv_freq[i].
  virtual void rope(Tensor x, const Weight& inv_freq, std::size_t head_dim, const Batch& batch) = 0;
  // k, v: [tokens, kv_heads * head_dim], to the cells of their slots and positions.
  virtual void store_kv(KvCache& kv, Tensor k, Tensor v, const Batch& batch) = 0;
  // out[t, h] = softmax(q[t, h] . k) v over the keys that the token sees, at scale 1; query head h reads
  // kv head h / (heads / kv_heads).      [tokens, heads * head_dim]
  virtual void attention(Tensor out, Tensor q, const KvCache& kv, std::size_t heads, const Batch& batch) = 0;

  // p = softmax(logits); the `used` most probable of each token, ties by the lower id; shares renormalised;
  // weights = shares * scales[expert].      logits [tokens, experts]
  virtual void route(Routing& routing, Tensor logits, const Weight& scales) = 0;
  // out[t * used + j] = weight[expert j of t] x, where x is x[t], or x[t * used + j] if it has as many rows.
  virtual void expert_linear(Tensor out, Tensor x, const Weight& weight, const Routing& routing) = 0;
  // gelu_tanh(gate x) * (up x), likewise.
  virtual void expert_gated_linear(Tensor out, Tensor x, const Weight& gate, const Weight& up,
                                   const Routing& routing) = 0;
  // out[t] = sum over j, in the router's order, of weights[t, j] * outs[t * used + j]
  virtual void combine(Tensor out, Tensor outs, const Routing& routing) = 0;
};

}  // namespace gpqa
