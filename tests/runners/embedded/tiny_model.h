// The reference model of the goldens, in any of its files, ready to be asked.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runners/embedded/backend/cpu/cpu_backend.h"
#include "runners/embedded/model/gemma4.h"
#include "runners/embedded/model/model_source.h"

namespace gpqa_test {

inline const std::string kGemmaData = GPQA_TEST_DATA "/gemma4/";

inline std::vector<float> read_floats(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<float> numbers(static_cast<std::size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(numbers.data()),
            static_cast<std::streamsize>(numbers.size() * sizeof(float)));
  return numbers;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct TinyModel {
  explicit TinyModel(
      const std::string& path, const gpqa::CpuOptions& options = {},
      const gpqa::Gemma4::Sizes& sizes = {.slots = 1, .cells = 512, .max_tokens = 512, .max_logits = 512})
      : source(path), backend(gpqa::make_cpu_backend(options)) {
    model = std::make_unique<gpqa::Gemma4>(
        *backend, source.config(),
        gpqa::load_gemma4_weights(
            *backend, source.config(), [this](const std::string& name) { return source.find(name); }, path),
        sizes);
  }

  // Logits [tokens, vocabulary] after each token of a sequence that starts at position 0.
  std::vector<float> logits(const std::vector<std::int32_t>& ids, gpqa::LayerObserver* observer = nullptr) {
    gpqa::Batch batch;
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      batch.add(ids[i], i, 0);
      all.push_back(i);
    }
    return backend->read_back(model->forward(batch, all, observer));
  }

  gpqa::ModelSource source;
  std::unique_ptr<gpqa::Backend> backend;
  std::unique_ptr<gpqa::Gemma4> model;
};

}  // namespace gpqa_test
