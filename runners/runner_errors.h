// Why a runner ends a run instead of answering.
#pragma once

#include <stdexcept>

namespace gpqa {

// The server would spoil the run: refused before the first question (exit code 3). Says what to change.
class AuditRefused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Mid-run, our request itself is refused (400, 401, 404, 501): nothing is scored, the run stops (exit code
// 1).
class RunAborted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Stopped by the user before the first question.
class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted") {}
};

}  // namespace gpqa
