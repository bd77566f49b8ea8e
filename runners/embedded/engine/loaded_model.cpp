#include "runners/embedded/engine/loaded_model.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "runners/embedded/backend/cpu/packed_file.h"
#include "runners/embedded/engine/memory_plan.h"
#include "runners/embedded/model/gemma4_weights.h"
#include "runners/model_files/mapped_file.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

// Hands out a file's tensors one after the other. Each is packed before the next is asked for, so that of the
// file no more than one tensor is held in memory.
class Reading {
 public:
  Reading(const ModelSource& source, bool check_numbers, std::size_t threads, const LoadProgress& progress,
          const std::stop_token& stop)
      : source_(source), check_(check_numbers), threads_(threads), progress_(progress), stop_(stop) {}

  const TensorView* find(const std::string& name) {
    if (stop_.stop_requested()) throw Interrupted();
    const TensorView* found = source_.find(name);
    if (found == nullptr || found == last_) return found;
    if (last_ != nullptr) drop_pages(last_->bytes);
    last_ = found;
    if (check_) source_.check_numbers(*found, threads_);
    done_ += found->bytes.size();
    if (progress_) progress_(done_, source_.tensor_bytes());
    return found;
  }
  void end() {
    if (last_ != nullptr) drop_pages(last_->bytes);
    if (progress_) progress_(source_.tensor_bytes(), source_.tensor_bytes());
  }

 private:
  const ModelSource& source_;
  bool check_;
  std::size_t threads_;
  const LoadProgress& progress_;
  const std::stop_token& stop_;
  const TensorView* last_ = nullptr;
  std::uint64_t done_ = 0;
};

}  // namespace

std::filesystem::path packed_path(const ModelSource& source) {
  const auto path = source.path().lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).string() + ".packed";
}

LoadedModel::LoadedModel(std::unique_ptr<ModelSource> source, LoadOptions options,
                         const LoadProgress& progress, const std::stop_token& stop)
    : cpu_(options.cpu), source_(std::move(source)) {
  if (cpu_.threads == 0) cpu_.threads = std::max(std::thread::hardware_concurrency(), 1U);
  check_memory(plan_memory(*source_, options.sizes), options.sizes, available_memory());
  const auto path = packed_path(*source_);
  std::unique_ptr<PackedFileWriter> packing;
  if (options.keep_packed || std::filesystem::exists(path)) {
    const auto identity = source_->identity();
    packed_ = PackedFile::open(path, identity);
    if (options.keep_packed && packed_ == nullptr) {
      std::filesystem::remove(path);  // of another model, or of another layout
      packing =
          std::make_unique<PackedFileWriter>(path, identity, options.check_numbers, source_->tensor_bytes());
    }
  }
  backend_ = make_cpu_backend(cpu_, {packed_, packing.get()});
  if (options.time_operations) {
    auto timed = std::make_unique<TimedBackend>(std::move(backend_));
    timed_ = timed.get();
    backend_ = std::move(timed);
  }
  const bool check = options.check_numbers && !(mapped() && packed_->checked());
  Reading reading(*source_, check, cpu_.threads, progress, stop);
  auto weights = load_gemma4_weights(
      *backend_, source_->config(), [&](const std::string& name) { return reading.find(name); },
      source_->path().string());
  reading.end();
  if (packing != nullptr) packing->finish();
  model_ = std::make_unique<Gemma4>(*backend_, source_->config(), std::move(weights), options.sizes);
}

}  // namespace gpqa
