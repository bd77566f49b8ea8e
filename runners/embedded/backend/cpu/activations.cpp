#include "runners/embedded/backend/cpu/activations.h"

#include <algorithm>
#include <cassert>

#include "runners/embedded/backend/cpu/cpu_memory.h"

namespace gpqa {
namespace {

template <class T>
void make_room(std::vector<T>& all, std::size_t count) {
  if (all.size() < count) all.resize(count);
}
template <class T>
T* at(const std::vector<T>& all, std::size_t index) {
  return const_cast<T*>(all.data()) + index;
}

constexpr std::size_t kSumWidth = 32;

std::size_t in_parts(std::size_t width, std::size_t part) {
  return (width + part - 1) / part;
}

}  // namespace

WordRow Activations::word_row(std::size_t index, std::size_t first) const {
  return {at(words_, index * x_.width + first),
          at(scales_, index * in_parts(x_.width, kPanelWidth) + first / kPanelWidth),
          at(sums_, (index * x_.width + first) / kSumWidth)};
}

void Activations::set(const PanelKernels& kernels, ThreadPool& pool, Tensor x, ActivationForm form,
                      std::uint32_t weight_type) {
  x_ = x;
  form_ = form;
  if (form == ActivationForm::floats) return;
  assert(x.width % kSumWidth == 0);
  const std::size_t all = x.rows * x.width;
  const std::size_t work = 4 * all;  // an element's, as ThreadPool counts it
  if (form == ActivationForm::bytes) {
    const std::size_t blocks = x.width / kQuantBlock;
    make_room(bytes_, x.rows * blocks);
    const auto quantize = [&](std::size_t t, std::size_t) {
      kernels.quantize_bytes(row_of(x, t).data(), x.width, weight_type, bytes_.data() + t * blocks);
    };
    pool.run(x.rows, quantize, work);
  } else {
    make_room(words_, all);
    make_room(sums_, all / kSumWidth);
    make_room(scales_, x.rows * in_parts(x.width, kPanelWidth));
    const auto quantize = [&](std::size_t t, std::size_t) {
      kernels.quantize_words(row_of(x, t).data(), x.width, word_row(t, 0));
    };
    pool.run(x.rows, quantize, work);
  }
}

void Activations::select(std::span<const std::size_t> indices, std::size_t divisor, std::size_t first,
                         ActivationRows& rows) const {
  const auto fill = [&](auto& to, const auto& row) {
    make_room(to, indices.size());
    for (std::size_t i = 0; i < indices.size(); ++i) to[i] = row(indices[i] / divisor);
  };
  switch (form_) {
    case ActivationForm::floats:
      return fill(rows.floats, [&](std::size_t r) { return x_.data + r * x_.stride + first; });
    case ActivationForm::words:
      return fill(rows.words, [&](std::size_t r) { return word_row(r, first); });
    case ActivationForm::bytes:
      return fill(rows.bytes,
                  [&](std::size_t r) { return bytes_.data() + (r * x_.width + first) / kQuantBlock; });
  }
}

}  // namespace gpqa
