// Threads that share the tasks of one operation.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace gpqa {

class ThreadPool {
 public:
  explicit ThreadPool(std::size_t threads);  // the caller's among them: 1 starts none
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t threads() const { return workers_.size() + 1; }
  // task(i, thread) for each i below `count`, each once, in no order; returns when all are done. `thread` is
  // below threads(), and no two tasks with the same one run at once. Tasks must not throw.
  void run(std::size_t count, const std::function<void(std::size_t, std::size_t)>& task);

 private:
  void work(std::size_t thread);
  void take_tasks(std::size_t thread);

  std::mutex mutex_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const std::function<void(std::size_t, std::size_t)>* task_ = nullptr;
  std::size_t count_ = 0;
  std::atomic<std::size_t> next_ = 0;
  std::uint64_t round_ = 0;
  std::size_t busy_ = 0;
  bool ending_ = false;
  std::vector<std::jthread> workers_;
};

}  // namespace gpqa
