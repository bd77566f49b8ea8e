#include "runners/embedded/backend/cpu/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace gpqa {
namespace {

// About what falling asleep and waking up cost together, on both sides: waiting is at most twice as dear as
// if it had been known beforehand which of the two is cheaper. Nobody yields meanwhile: where another process
// wants the processor, a yield gives it a whole time slice, and a sleeper that is woken interrupts it.
constexpr auto kLookOut = std::chrono::microseconds(50);
// Between two looks at the clock: a microsecond or two.
constexpr int kLooks = 32;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// False if it didn't come true in the time to look out.
template <class Condition>
bool soon(const Condition& condition) {
  for (int i = 0; i < kLooks; ++i) {
    if (condition()) return true;
    pause();
  }
  const auto until = std::chrono::steady_clock::now() + kLookOut;
  do {
    for (int i = 0; i < kLooks; ++i) {
      if (condition()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < until);
  return false;
}

// std::atomic::wait would yield before it sleeps.
static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake(std::atomic<std::uint32_t>& word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

}  // namespace

ThreadPool::ThreadPool(std::size_t threads) : threads_(std::max<std::size_t>(threads, 1)) {
  for (std::size_t i = 1; i < threads_; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  left_ = kEnding;
  wake(left_, INT_MAX);
}

// Who falls asleep says so before the last look at what it waits for, and who changes that looks for sleepers
// afterwards: one of the two sees the other. That takes sequential consistency, the default of all that has
// no order named here.
void ThreadPool::share(std::uint32_t count, Tasks tasks) {
  tasks_ = tasks;
  count_ = count;
  unfinished_.store(count, std::memory_order_relaxed);
  left_ = count;
  if (sleepers_ != 0) wake(left_, static_cast<int>(std::min(count - 1, std::uint32_t{INT_MAX})));
  take_tasks(0);
  wait_for_the_last();
}

// A worker that comes late finds nothing left, and nobody waits for it.
void ThreadPool::take_tasks(std::size_t thread) {
  const auto part = static_cast<std::uint32_t>(4 * threads_);
  auto left = left_.load(std::memory_order_relaxed);
  while (left != 0 && left != kEnding) {
    // Many at first, fewer near the end: all threads end at about the same time.
    const std::uint32_t taken = std::max(left / part, std::uint32_t{1});
    if (!left_.compare_exchange_weak(left, left - taken, std::memory_order_acquire,
                                     std::memory_order_relaxed))
      continue;
    const std::size_t first = count_ - left;
    tasks_.call(tasks_.of, {first, first + taken}, thread);
    if (unfinished_.fetch_sub(taken) == taken && caller_sleeps_) wake(unfinished_, 1);
    left = left_.load(std::memory_order_relaxed);
  }
}

void ThreadPool::wait_for_the_last() {
  const auto done = [&] { return unfinished_.load(std::memory_order_acquire) == 0; };
  if (soon(done)) return;
  caller_sleeps_ = true;
  for (auto n = unfinished_.load(); n != 0; n = unfinished_.load()) sleep_while(unfinished_, n);
  caller_sleeps_ = false;
}

void ThreadPool::wait_for_tasks() {
  const auto some = [&] { return left_.load(std::memory_order_relaxed) != 0; };
  if (soon(some)) return;
  ++sleepers_;
  if (left_ == 0) sleep_while(left_, 0);
  --sleepers_;
}

void ThreadPool::work(std::size_t thread) {
  while (left_.load(std::memory_order_acquire) != kEnding) {
    wait_for_tasks();
    take_tasks(thread);
  }
}

}  // namespace gpqa
