#include "harness/interrupt.h"

#include <cstdlib>
#include <ctime>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "harness/exit_code.h"

namespace gpqa {

InterruptGuard::InterruptGuard(std::string words) {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  // A thread that waits for the signals may do what a handler may not.
  watcher_ = std::jthread([this, words = std::move(words)](const std::stop_token& end) {
    constexpr timespec kLook = {0, 100'000'000};
    while (!end.stop_requested()) {
      if (sigtimedwait(&signals_, nullptr, &kLook) < 0) continue;
      if (stop_.stop_requested()) _exit(kInterrupted);
      fmt::print(stderr, "\n{}\n", words);
      stop_.request_stop();
    }
  });
}

InterruptGuard::~InterruptGuard() {
  watcher_.request_stop();
  watcher_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace gpqa
