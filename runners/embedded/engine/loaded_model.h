// A model in memory, ready for steps.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>

#include "runners/embedded/backend/cpu/cpu_backend.h"
#include "runners/embedded/engine/timed_backend.h"
#include "runners/embedded/model/gemma4.h"
#include "runners/embedded/model/model_source.h"

namespace gpqa {

struct LoadOptions {
  CpuOptions cpu;  // threads: 0 for as many as there are processors
  Gemma4::Sizes sizes;
  bool check_numbers = true;  // look for NaN and infinity in what is loaded
  bool keep_packed = false;   // where it isn't there yet, write packed_path(), which later starts map
  bool time_operations = false;
};

// How far loading is, in bytes of the file's tensors.
using LoadProgress = std::function<void(std::uint64_t done, std::uint64_t all)>;

// Beside the model: MODEL.packed. One that is there, and of this model, is mapped in any case.
std::filesystem::path packed_path(const ModelSource& source);

class LoadedModel {
 public:
  // Plans the memory, then loads. Throws InputError where it doesn't fit, FormatError for a damaged file.
  // Interrupted where a stop is asked for meanwhile.
  LoadedModel(std::unique_ptr<ModelSource> source, LoadOptions options, const LoadProgress& progress = {},
              const std::stop_token& stop = {});

  const ModelSource& source() const { return *source_; }
  Backend& backend() { return *backend_; }
  TimedBackend* timed() { return timed_; }  // null unless asked for
  Gemma4& model() { return *model_; }
  const CpuOptions& cpu() const { return cpu_; }
  bool mapped() const { return packed_ != nullptr; }  // its matrices come from packed_path()

 private:
  CpuOptions cpu_;
  std::shared_ptr<const PackedFile> packed_;
  std::unique_ptr<ModelSource> source_;  // the weights lie in it
  std::unique_ptr<Backend> backend_;
  TimedBackend* timed_ = nullptr;  // *backend_
  std::unique_ptr<Gemma4> model_;
};

}  // namespace gpqa
