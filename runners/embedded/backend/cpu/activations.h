// What matrices are multiplied with, as the kernels read it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runners/embedded/backend/backend.h"
#include "runners/embedded/backend/cpu/panel.h"
#include "runners/embedded/backend/cpu/thread_pool.h"

namespace gpqa {

enum class ActivationForm { floats, words, bytes };

// Rows for one call of a kernel; of the three, those of the form that is used.
struct ActivationRows {
  std::vector<const float*> floats;
  std::vector<WordRow> words;
  std::vector<const ByteBlock*> bytes;
};

class Activations {
 public:
  // To be multiplied with weights of this type (ggml's id). x must outlive its use as floats.
  void set(const PanelKernels& kernels, ThreadPool& pool, Tensor x, ActivationForm form,
           std::uint32_t weight_type);

  ActivationForm form() const { return form_; }
  // The rows `index / divisor` from column `first` on, in the given order.
  void select(std::span<const std::size_t> indices, std::size_t divisor, std::size_t first,
              ActivationRows& rows) const;

 private:
  WordRow word_row(std::size_t index, std::size_t first) const;

  ActivationForm form_ = ActivationForm::floats;
  Tensor x_;
  std::vector<ByteBlock> bytes_;
  std::vector<std::int16_t> words_;
  std::vector<float> scales_, sums_;  // of words
};

}  // namespace gpqa
