// What matrices are multiplied with, as the kernels read it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/huge_pages.h"
#include "runners/embedded/backend/cpu/panel.h"
#include "runners/embedded/backend/cpu/thread_pool.h"

namespace gpqa {

enum class ActivationForm { floats, words, bytes };

// Rows as kernels take them; of the three, those of the form that is used.
struct ActivationRows {
  std::vector<const float*> floats;
  std::vector<WordRow> words;
  std::vector<const ByteBlock*> bytes;
  void clear();
};

class Activations {
 public:
  // To be multiplied with weights of this type (ggml's id). x must outlive its use as floats.
  void set(const PanelKernels& kernels, ThreadPool& pool, Tensor x, ActivationForm form,
           std::uint32_t weight_type);

  ActivationForm form() const { return form_; }
  // The rows `index / divisor` for each index, in the given order, after those that are there.
  void append_rows(std::span<const std::size_t> indices, std::size_t divisor, ActivationRows& rows) const;

 private:
  WordRow word_row(std::size_t index) const;

  ActivationForm form_ = ActivationForm::floats;
  Tensor x_;
  HugeVector<ByteBlock> bytes_;
  HugeVector<std::int16_t> words_;
  HugeVector<float> scales_, sums_;  // of words
};

}  // namespace gpqa
