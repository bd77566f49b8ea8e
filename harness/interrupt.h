// Ctrl-C and SIGTERM as a stop token.
#pragma once

#include <csignal>
#include <stop_token>
#include <string>
#include <thread>

namespace gpqa {

// While it lives: the first signal asks for a stop and prints `words` on stderr, the second leaves at once
// (exit code 130). Make it before other threads: they must inherit the blocked signals.
class InterruptGuard {
 public:
  explicit InterruptGuard(std::string words);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  std::stop_token token() const { return stop_.get_token(); }
  bool interrupted() const { return stop_.stop_requested(); }

 private:
  sigset_t signals_{};
  sigset_t before_{};
  std::stop_source stop_;
  std::jthread watcher_;  // last: it uses the others
};

}  // namespace gpqa
