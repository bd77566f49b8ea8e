#include "runners/embedded/engine/loaded_model.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "runners/embedded/engine/memory_plan.h"
#include "runners/embedded/model/gemma4_weights.h"

namespace gpqa {

LoadedModel::LoadedModel(std::unique_ptr<ModelSource> source, LoadOptions options,
                         const ReadProgress& progress, const std::stop_token& stop)
    : cpu_(options.cpu), source_(std::move(source)) {
  if (cpu_.threads == 0) cpu_.threads = std::max(std::thread::hardware_concurrency(), 1U);
  check_memory(plan_memory(*source_, options.sizes), options.sizes, available_memory());
  if (options.check_numbers) source_->check_numbers(cpu_.threads, progress, stop);
  backend_ = make_cpu_backend(cpu_);
  auto weights = load_gemma4_weights(
      *backend_, source_->config(), [this](const std::string& name) { return source_->find(name); },
      source_->path().string());
  model_ = std::make_unique<Gemma4>(*backend_, source_->config(), std::move(weights), options.sizes);
}

}  // namespace gpqa
