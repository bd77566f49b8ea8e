// Threads that share the tasks of one operation. A step of a model is hundreds of operations of microseconds
// to milliseconds: who waits looks out for the next one for some microseconds, then sleeps.
#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

namespace gpqa {

class ThreadPool {
 public:
  // What an operation costs that nobody has estimated: it is shared.
  static constexpr std::size_t kUnknownWork = std::numeric_limits<std::size_t>::max();

  explicit ThreadPool(std::size_t threads);  // the caller's among them: 1 starts none
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t threads() const { return threads_; }
  // task(i, thread) for each i below `count`, each once, in no order; returns when all are done. `thread` is
  // below threads(), and no two tasks with the same one run at once. Tasks must neither throw nor call run();
  // one run() at a time. `work`: of all tasks together, in floats that a simple operation (a sum, a product)
  // goes over. What is done before another thread would have woken up stays on the caller's.
  template <class Task>
  void run(std::size_t count, const Task& task, std::size_t work = kUnknownWork) {
    assert(count < kEnding);
    if (count <= 1 || work < kSharedFrom || threads_ == 1) {
      for (std::size_t i = 0; i < count; ++i) task(i, std::size_t{0});
      return;
    }
    share(static_cast<std::uint32_t>(count),
          {std::addressof(task), [](const void* of, Range range, std::size_t thread) {
             const auto& each = *static_cast<const Task*>(of);
             for (std::size_t i = range.first; i < range.last; ++i) each(i, thread);
           }});
  }

 private:
  struct Range {
    std::size_t first = 0;
    std::size_t last = 0;
  };
  // A caller's function, called once for many tasks.
  struct Tasks {
    const void* of = nullptr;
    void (*call)(const void* of, Range range, std::size_t thread) = nullptr;
  };
  static constexpr std::size_t kSharedFrom = 16384;  // some 3 microseconds of one thread
  static constexpr std::uint32_t kEnding = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::size_t kCacheLine = 64;

  void share(std::uint32_t count, Tasks tasks);
  void take_tasks(std::size_t thread);
  void work(std::size_t thread);
  void wait_for_tasks();
  void wait_for_the_last();

  const std::size_t threads_;  // workers may not look at `workers_`, which is filled while they run
  // Both are written before `left_` and read after tasks were taken from it; they change only when none is
  // unfinished.
  Tasks tasks_;
  std::uint32_t count_ = 0;
  alignas(kCacheLine) std::atomic<std::uint32_t> left_ = 0;  // tasks that nobody has taken; kEnding: no more
  std::atomic<std::uint32_t> sleepers_ = 0;                  // workers
  alignas(kCacheLine) std::atomic<std::uint32_t> unfinished_ = 0;
  std::atomic<bool> caller_sleeps_ = false;
  std::vector<std::jthread> workers_;  // last: they use the others
};

}  // namespace gpqa
