#include "runners/embedded/backend/cpu/activations.h"

#include <algorithm>
#include <cassert>

#include "runners/embedded/backend/cpu/cpu_memory.h"

namespace gpqa {
namespace {

template <class T>
void make_room(HugeVector<T>& all, std::size_t count) {
  if (all.size() < count) all.resize(count);
}
template <class T>
T* at(const HugeVector<T>& all, std::size_t index) {
  return const_cast<T*>(all.data()) + index;
}

constexpr std::size_t kSumWidth = 32;

std::size_t in_parts(std::size_t width, std::size_t part) {
  return (width + part - 1) / part;
}

}  // namespace

void ActivationRows::clear() {
  floats.clear();
  words.clear();
  bytes.clear();
}

WordRow Activations::word_row(std::size_t index) const {
  return {at(words_, index * x_.width), at(scales_, index * in_parts(x_.width, kPanelWidth)),
          at(sums_, index * x_.width / kSumWidth)};
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
      kernels.quantize_words(row_of(x, t).data(), x.width, word_row(t));
    };
    pool.run(x.rows, quantize, work);
  }
}

void Activations::append_rows(std::span<const std::size_t> indices, std::size_t divisor,
                              ActivationRows& rows) const {
  const auto append = [&](auto& to, const auto& row) {
    for (const std::size_t index : indices) to.push_back(row(index / divisor));
  };
  switch (form_) {
    case ActivationForm::floats:
      return append(rows.floats, [&](std::size_t r) { return x_.data + r * x_.stride; });
    case ActivationForm::words:
      return append(rows.words, [&](std::size_t r) { return word_row(r); });
    case ActivationForm::bytes:
      return append(rows.bytes, [&](std::size_t r) { return bytes_.data() + r * x_.width / kQuantBlock; });
  }
}

}  // namespace gpqa
