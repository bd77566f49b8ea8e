// Answers from a function: for tests, and wherever no model is needed.
#pragma once

#include <functional>

#include "runners/runner.h"

namespace gpqa {

class ScriptedRunner final : public Runner {
 public:
  // `answer` fills everything but Completion::id.
  explicit ScriptedRunner(std::function<Completion(const Request&)> answer, RunnerInfo info = {});

  RunnerInfo info() const override { return info_; }
  void run(RequestSource& source, Sink& sink, std::stop_token stop) override;

 private:
  std::function<Completion(const Request&)> answer_;
  RunnerInfo info_;
};

}  // namespace gpqa
