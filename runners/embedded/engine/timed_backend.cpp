#include "runners/embedded/engine/timed_backend.h"

#include <algorithm>
#include <chrono>
#include <string_view>

#include "runners/embedded/engine/step_reads.h"

namespace gpqa {
namespace {

// blk.3.attn_q.weight: attn_q
std::string kind_of(std::string_view tensor) {
  if (tensor.starts_with("blk.")) tensor.remove_prefix(std::min(tensor.find('.', 4), tensor.size() - 1) + 1);
  if (tensor.ends_with(".weight")) tensor.remove_suffix(std::string_view(".weight").size());
  return std::string(tensor);
}

}  // namespace

TimedBackend::TimedBackend(std::unique_ptr<Backend> of) : of_(std::move(of)) {}

std::vector<OpTime> TimedBackend::take() {
  std::vector<OpTime> all;
  for (auto& [name, time] : times_) all.push_back(std::move(time));
  times_.clear();
  std::sort(all.begin(), all.end(), [](const OpTime& a, const OpTime& b) { return a.seconds > b.seconds; });
  return all;
}

template <class Operation>
double TimedBackend::seconds_of(const Operation& operation) const {
  const auto begin = std::chrono::steady_clock::now();
  operation();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void TimedBackend::count(const std::string& name, double seconds, Cost cost) {
  OpTime& time = times_[name];
  time.name = name;
  ++time.calls;
  time.seconds += seconds;
  time.bytes += cost.bytes;
  time.products += cost.products;
}

const TimedBackend::Known& TimedBackend::known(const Weight& weight) const {
  return weights_.at(&weight);
}

// One where both are rows of one tensor.
std::string TimedBackend::both_names(const Weight& gate, const Weight& up) const {
  const std::string& first = known(gate).name;
  const std::string& second = known(up).name;
  return first == second ? first : first + ", " + second;
}

TimedBackend::Cost TimedBackend::matrix_cost(const Weight& weight, std::size_t tokens) const {
  return {known(weight).bytes, std::uint64_t{weight.rows()} * weight.width() * tokens};
}

TimedBackend::Cost TimedBackend::expert_cost(const Weight& weight, const Routing& routing) {
  const auto experts = of_->read_back(routing).experts;
  return {known(weight).bytes / weight.experts() * distinct_experts(experts),
          std::uint64_t{weight.rows()} * weight.width() * experts.size()};
}

std::unique_ptr<Weight> TimedBackend::load(const TensorView& weight, Inputs inputs, RowRange rows) {
  auto loaded = of_->load(weight, inputs, rows);
  const std::uint64_t of_file = weight.rows();  // of all experts
  const std::uint64_t taken = loaded->rows() * loaded->experts();
  const bool part = rows.count != 0 && of_file != 0;
  weights_[loaded.get()] = {kind_of(weight.name),
                            part ? weight.bytes.size() / of_file * taken : weight.bytes.size()};
  return loaded;
}
std::unique_ptr<Buffer> TimedBackend::make_buffer(std::size_t rows, std::size_t width) {
  return of_->make_buffer(rows, width);
}
std::unique_ptr<KvCache> TimedBackend::make_kv(const KvShape& shape) {
  return of_->make_kv(shape);
}
std::unique_ptr<Routing> TimedBackend::make_routing(std::size_t tokens, std::size_t used) {
  return of_->make_routing(tokens, used);
}
std::vector<float> TimedBackend::read_back(const Tensor& x) {
  return of_->read_back(x);
}
RoutingOnHost TimedBackend::read_back(const Routing& routing) {
  return of_->read_back(routing);
}

void TimedBackend::embed(Tensor out, const Weight& table, const Batch& batch, float factor) {
  count("embed", seconds_of([&] { of_->embed(out, table, batch, factor); }),
        {known(table).bytes / table.rows() * batch.size(), 0});
}
void TimedBackend::gather_rows(Tensor out, Tensor x, std::span<const std::size_t> from) {
  count("gather_rows", seconds_of([&] { of_->gather_rows(out, x, from); }), {});
}
void TimedBackend::rms_norm(Tensor out, Tensor x, const Weight* weight, float eps) {
  count("rms_norm", seconds_of([&] { of_->rms_norm(out, x, weight, eps); }), {});
}
void TimedBackend::multiply(Tensor out, Tensor x, const Weight& weight, float factor) {
  count("multiply", seconds_of([&] { of_->multiply(out, x, weight, factor); }), {});
}
void TimedBackend::add(Tensor out, Tensor a, Tensor b) {
  count("add", seconds_of([&] { of_->add(out, a, b); }), {});
}
void TimedBackend::scale(Tensor x, float factor) {
  count("scale", seconds_of([&] { of_->scale(x, factor); }), {});
}
void TimedBackend::softcap(Tensor x, float cap) {
  count("softcap", seconds_of([&] { of_->softcap(x, cap); }), {});
}
void TimedBackend::linear(Tensor out, Tensor x, const Weight& weight) {
  count(known(weight).name, seconds_of([&] { of_->linear(out, x, weight); }), matrix_cost(weight, x.rows));
}
void TimedBackend::gated_linear(Tensor out, Tensor x, const Weight& gate, const Weight& up) {
  const double seconds = seconds_of([&] { of_->gated_linear(out, x, gate, up); });
  count(both_names(gate, up), seconds, matrix_cost(gate, x.rows) + matrix_cost(up, x.rows));
}
void TimedBackend::rope(Tensor x, const Weight& inv_freq, std::size_t head_dim, const Batch& batch) {
  count("rope", seconds_of([&] { of_->rope(x, inv_freq, head_dim, batch); }), {});
}
void TimedBackend::store_kv(KvCache& kv, Tensor k, Tensor v, const Batch& batch) {
  count("store_kv", seconds_of([&] { of_->store_kv(kv, k, v, batch); }), {});
}
void TimedBackend::attention(Tensor out, Tensor q, const KvCache& kv, std::size_t heads, const Batch& batch) {
  const double seconds = seconds_of([&] { of_->attention(out, q, kv, heads, batch); });
  const KvShape& shape = kv.shape();
  std::uint64_t seen = 0;
  for (const auto position : batch.positions) {
    const auto before = static_cast<std::size_t>(position) + 1;
    seen += shape.window == 0 ? before : std::min(before, shape.window);
  }
  count(shape.window == 0 ? "attention, global" : "attention, sliding", seconds,
        {kv_bytes_read(shape, batch), seen * heads * shape.head_dim * 2});
}
void TimedBackend::route(Routing& routing, Tensor logits, const Weight& scales) {
  count("route", seconds_of([&] { of_->route(routing, logits, scales); }), {});
}
void TimedBackend::expert_linear(Tensor out, Tensor x, const Weight& weight, const Routing& routing) {
  count(known(weight).name, seconds_of([&] { of_->expert_linear(out, x, weight, routing); }),
        expert_cost(weight, routing));
}
void TimedBackend::expert_gated_linear(Tensor out, Tensor x, const Weight& gate, const Weight& up,
                                       const Routing& routing) {
  const double seconds = seconds_of([&] { of_->expert_gated_linear(out, x, gate, up, routing); });
  count(both_names(gate, up), seconds, expert_cost(gate, routing) + expert_cost(up, routing));
}
void TimedBackend::combine(Tensor out, Tensor outs, const Routing& routing) {
  count("combine", seconds_of([&] { of_->combine(out, outs, routing); }), {});
}

}  // namespace gpqa
