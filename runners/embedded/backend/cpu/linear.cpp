#include "runners/embedded/backend/cpu/linear.h"

#include <algorithm>
#include <cassert>

namespace gpqa {
namespace {

// Rows of x that pass through all tiles before the next ones: so many stay in a core's second cache, while
// weights come from memory and are used once.
constexpr std::size_t kRowsAtOnce = 96;

}  // namespace

CpuLinear::CpuLinear(const Kernels& kernels, Arithmetic arithmetic, ThreadPool& pool)
    : kernels_(kernels), arithmetic_(arithmetic), pool_(pool), scratch_(pool.threads()) {}

ActivationForm CpuLinear::form_for(const CpuWeight& weight) const {
  if (arithmetic_ == Arithmetic::float32 || is_float_type(weight.matrix->type()))
    return ActivationForm::floats;
  const bool bytes =
      weight.inputs != Inputs::exact && kernels_.panels.multiplies_bytes(weight.matrix->type());
  return bytes ? ActivationForm::bytes : ActivationForm::words;
}

void CpuLinear::embed(Tensor out, const CpuWeight& table, const Batch& batch, float factor) {
  const PackedMatrix& rows = *table.matrix;
  assert(out.rows == batch.size() && out.width == rows.width());
  pool_.run(out.rows, [&](std::size_t t, std::size_t thread) {
    const auto id = static_cast<std::size_t>(batch.ids[t]);
    const auto to = row_of(out, t);
    Panel& panel = scratch_[thread].panel;
    for (std::size_t first = 0; first < to.size(); first += kPanelWidth) {
      const std::size_t width = std::min(kPanelWidth, to.size() - first);
      kernels_.panels.unpack_floats(rows.type(), rows.tile(0, id / kTileRows), rows.width(), first, width,
                                    panel);
      for (std::size_t k = 0; k < width; ++k)
        to[first + k] = panel.floats[k * kTileRows + id % kTileRows] * factor;
    }
  });
}

void CpuLinear::multiply(const PackedMatrix& weight, const Input& input, const Part& part, std::size_t tile,
                         Panel& panel, std::vector<float>& sums) const {
  const std::size_t count = part.out.size();
  sums.assign(count * kTileRows, 0.0F);
  const std::byte* packed = weight.tile(part.expert, tile);
  const PanelKernels& kernels = kernels_.panels;
  const ActivationForm form = input.x.form();
  // Of the three only the form's own has rows.
  const auto rows = [&](const auto& all) { return all.data() + part.first; };
  if (count <= kernels.few && form != ActivationForm::floats) {
    if (form == ActivationForm::bytes)
      kernels.stream_bytes(weight.type(), packed, weight.width(), rows(input.rows.bytes), count, panel,
                           sums.data());
    else
      kernels.stream_words(weight.type(), packed, weight.width(), rows(input.rows.words), count, panel,
                           sums.data());
    return;
  }
  const bool minimums = has_minimums(weight.type());
  for (std::size_t first = 0; first < weight.width(); first += kPanelWidth) {
    const std::size_t width = std::min(kPanelWidth, weight.width() - first);
    switch (form) {
      case ActivationForm::floats:
        kernels.unpack_floats(weight.type(), packed, weight.width(), first, width, panel);
        kernels.multiply_floats(panel, first, width, rows(input.rows.floats), count, sums.data());
        break;
      case ActivationForm::words:
        kernels.unpack_words(weight.type(), packed, weight.width(), first, width, panel);
        kernels.multiply_words(panel, minimums, first, width, rows(input.rows.words), count, sums.data());
        break;
      case ActivationForm::bytes:
        kernels.unpack_bytes(weight.type(), packed, weight.width(), first, width, panel);
        kernels.multiply_bytes(panel, minimums, first, width, rows(input.rows.bytes), count, sums.data());
        break;
    }
  }
}

void CpuLinear::set_input(Input& input, Tensor x, const CpuWeight& weight, std::span<const Group> groups,
                          std::size_t out_rows_per_x) {
  input.x.set(kernels_.panels, pool_, x, form_for(weight), weight.matrix->type());
  input.rows.clear();
  for (const Group& group : groups) input.x.append_rows(group.out, out_rows_per_x, input.rows);
}

void CpuLinear::run(Tensor out, Tensor x, const CpuWeight* gate, const CpuWeight& weight,
                    std::span<const Group> groups, std::size_t out_rows_per_x) {
  const PackedMatrix& matrix = *weight.matrix;
  assert(x.width == weight.width() && out.width == weight.rows());
  assert(gate == nullptr || (gate->rows() == weight.rows() && gate->width() == weight.width()));
  set_input(input_, x, weight, groups, out_rows_per_x);
  const bool same = gate == nullptr || gate->matrix->type() == matrix.type();
  if (!same) set_input(gate_input_, x, *gate, groups, out_rows_per_x);
  parts_.clear();
  std::size_t rows = 0;
  for (const Group& group : groups)
    for (std::size_t first = 0; first < group.out.size(); first += kRowsAtOnce) {
      const auto part = group.out.subspan(first, std::min(kRowsAtOnce, group.out.size() - first));
      parts_.push_back({group.expert, part, rows});
      rows += part.size();
    }
  const std::size_t tiles = matrix.tiles();
  pool_.run(parts_.size() * tiles, [&](std::size_t task, std::size_t thread) {
    const Part& part = parts_[task / tiles];
    const std::size_t tile = task % tiles;
    Scratch& scratch = scratch_[thread];
    multiply(matrix, input_, part, tile, scratch.panel, scratch.sums);
    if (gate != nullptr)
      multiply(*gate->matrix, same ? input_ : gate_input_, part, tile, scratch.panel, scratch.gate_sums);
    const std::size_t first = tile * kTileRows;
    const std::size_t count = std::min(kTileRows, matrix.rows() - first);
    for (std::size_t i = 0; i < part.out.size(); ++i) {
      float* to = row_of(out, part.out[i]).data() + first;
      const float* sums = scratch.sums.data() + i * kTileRows;
      if (gate != nullptr)
        kernels_.gelu_multiply(to, scratch.gate_sums.data() + i * kTileRows, sums, count);
      else if (count == kTileRows)  // a size that the compiler knows
        std::copy_n(sums, kTileRows, to);
      else
        std::copy_n(sums, count, to);
    }
  });
}

std::vector<CpuLinear::Group> CpuLinear::group_of_all(std::size_t rows) {
  while (all_.size() < rows) all_.push_back(all_.size());
  return {{0, std::span(all_).first(rows)}};
}

void CpuLinear::linear(Tensor out, Tensor x, const CpuWeight* gate, const CpuWeight& weight) {
  assert(out.rows == x.rows);
  run(out, x, gate, weight, group_of_all(x.rows), 1);
}

void CpuLinear::expert_linear(Tensor out, Tensor x, const CpuWeight* gate, const CpuWeight& weight,
                              const CpuRouting& routing) {
  const std::size_t all = routing.tokens * routing.chosen.used;
  assert(out.rows == all && (x.rows == routing.tokens || x.rows == all));
  std::vector<Group> groups;
  for (std::size_t e = 0; e < routing.places.size(); ++e)
    if (!routing.places[e].empty()) groups.push_back({e, routing.places[e]});
  // A row of x for each row of out, or for all experts of its token.
  run(out, x, gate, weight, groups, x.rows == all ? 1 : routing.chosen.used);
}

}  // namespace gpqa
