// A row of random weights: as what they mean, and as a file has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "runners/model_files/tensor_view.h"

namespace gpqa_test {

// w[k] = scales[k / 16] * integers[k] - minimums[k / 32]
struct BlockRow {
  std::vector<int> integers;
  std::vector<float> scales, minimums;
  std::vector<std::byte> file;
};

// Of a format of blocks, in ggml's layout. `width`: whole blocks.
BlockRow random_row(const gpqa::BlockFormat& format, std::size_t width, std::mt19937& random);

}  // namespace gpqa_test
