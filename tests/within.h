// Waiting for what another process or thread does.
#pragma once

#include <chrono>
#include <thread>

namespace gpqa_test {

// Whether `condition` comes true within so many seconds.
template <class Condition>
bool within(double seconds, Condition&& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace gpqa_test
