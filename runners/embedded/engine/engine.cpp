#include "runners/embedded/engine/engine.h"

#include <utility>

namespace gpqa {

Engine::Engine(Backend& backend, Gemma4& model)
    : scheduler_(backend, model), thread_([this](const std::stop_token& stop) { work(stop); }) {}

Engine::~Engine() {
  thread_.request_stop();
  thread_.join();
}

Ticket Engine::submit(SequenceRequest request) {
  scheduler_.check(request);
  Ticket ticket(request.cancelled);
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(request));
  }
  submitted_.notify_one();
  return ticket;
}

void Engine::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<SequenceRequest> arrived;
    {
      std::unique_lock lock(mutex_);
      if (scheduler_.idle()) submitted_.wait(lock, stop, [&] { return !inbox_.empty(); });
      arrived.swap(inbox_);
    }
    for (auto& request : arrived) scheduler_.add(std::move(request));
    if (!stop.stop_requested()) scheduler_.step();
  }
  const std::lock_guard lock(mutex_);
  for (auto& request : inbox_) scheduler_.add(std::move(request));
  inbox_.clear();
  scheduler_.cancel_all();
}

}  // namespace gpqa
