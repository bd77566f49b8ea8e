// Every task once, on a thread of its own, whatever the threads were doing when the operation came.
#include "runners/embedded/backend/cpu/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "tests/catch.h"

using namespace gpqa;

namespace {

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Nothing waits in here but the processor.
void work_for(std::chrono::microseconds length) {
  const auto until = std::chrono::steady_clock::now() + length;
  while (std::chrono::steady_clock::now() < until) {
  }
}

}  // namespace

TEST_CASE("each task is done once, no two at a time on one thread, and all are done when run returns") {
  const std::size_t threads = GENERATE(1U, 2U, 5U);
  ThreadPool pool(threads);
  REQUIRE(pool.threads() == threads);
  std::mt19937 random(7);
  std::vector<int> done;  // of each task; not atomic: whoever reads it must be after all of them
  std::vector<int> inside(threads, 0);  // likewise, of each thread
  std::size_t wrong = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::size_t count = random() % (round % 8 == 0 ? 300 : 6);
    const std::size_t slow = random() % 64;
    done.assign(count, 0);
    pool.run(count, [&](std::size_t i, std::size_t thread) {
      if (++inside[thread] != 1) inside[thread] = 1000;
      ++done[i];
      if (i == slow) work_for(std::chrono::microseconds(i % 4 == 0 ? 80 : 3));
      --inside[thread];
    });
    for (const int times : done) wrong += times != 1;
    for (const int running : inside) wrong += running != 0;
    // Workers are met while they look out, while they fall asleep, and asleep.
    if (round % 16 == 0) work_for(std::chrono::microseconds(random() % 120));
    if (round % 256 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(wrong == 0);
}

TEST_CASE("what costs less than waking a thread stays on the caller's") {
  ThreadPool pool(4);
  const auto caller = std::this_thread::get_id();
  std::vector<std::thread::id> by(64);
  const auto note = [&](std::size_t i, std::size_t thread) {
    by[i] = thread == 0 ? std::this_thread::get_id() : std::thread::id();
  };
  pool.run(by.size(), note, 100);
  CHECK(std::count(by.begin(), by.end(), caller) == 64);
}

TEST_CASE("a std::function is a task too") {
  ThreadPool pool(2);
  std::atomic<std::size_t> sum = 0;
  const std::function<void(std::size_t, std::size_t)> add = [&](std::size_t i, std::size_t) { sum += i; };
  pool.run(1000, add);
  CHECK(sum == 499500);
}

TEST_CASE("a long task is shared with a thread that slept") {
  ThreadPool pool(2);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  // Neither of the two ends before both have begun.
  std::atomic<int> begun = 0;
  pool.run(2, [&](std::size_t, std::size_t) {
    ++begun;
    while (begun < 2) std::this_thread::yield();
  });
  CHECK(begun == 2);
}

TEST_CASE("threads with nothing to do cost no processor time") {
  ThreadPool pool(4);
  std::atomic<std::size_t> done = 0;
  pool.run(100, [&](std::size_t, std::size_t) { ++done; });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const double before = processor_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  // Four threads that spun would take 0.8 s on as many processors, 0.2 s on one. Asleep they take none; the
  // rest is what a sanitizer's own thread may do.
  CHECK(processor_seconds() - before < 0.05);
  CHECK(done == 100);
}
