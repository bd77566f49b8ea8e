// The engine: a thread that drives the scheduler, and tickets for those who wait.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "runners/embedded/engine/scheduler.h"

namespace gpqa {

// A request on its way. May be kept longer than the engine.
class Ticket {
 public:
  explicit Ticket(CancelFlag flag) : flag_(std::move(flag)) {}
  void cancel() { *flag_ = true; }  // on_done follows, if it hasn't come

 private:
  CancelFlag flag_;
};

class Engine {
 public:
  // Backend and model are the engine's alone while it lives.
  Engine(Backend& backend, Gemma4& model);
  ~Engine();  // cancels what runs; every on_done has come when it returns
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // From any thread. The request's functions run on the engine's thread, and must not submit. Throws as
  // Scheduler::check.
  Ticket submit(SequenceRequest request);

 private:
  void work(const std::stop_token& stop);

  Scheduler scheduler_;  // but for check(), the thread's alone
  std::mutex mutex_;
  std::condition_variable_any submitted_;
  std::vector<SequenceRequest> inbox_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace gpqa
