// runners/embedded/: the model answers inside the program. Requests go to the engine's slots, what comes of
// them to the sink.
#pragma once

#include <memory>
#include <string>

#include "runners/embedded/chat_model.h"
#include "runners/embedded/engine/loaded_model.h"
#include "runners/runner.h"
#include "runners/sampling_config.h"

namespace gpqa {

class EmbeddedRunner : public Runner {
 public:
  // `build` names the program. Model and chat must outlive the runner. Throws InputError for sampling that
  // can't be, AuditRefused where a slot doesn't hold `longest_prompt` (tokens) and the answer.
  EmbeddedRunner(LoadedModel& model, const ChatModel& chat, const SamplingConfig& sampling,
                 std::size_t longest_prompt, const std::string& build);

  RunnerInfo info() const override { return info_; }
  void run(RequestSource& source, Sink& sink, std::stop_token stop) override;

 private:
  class Run;

  LoadedModel& model_;
  const ChatModel& chat_;
  SamplingConfig sampling_;
  SamplerSettings settings_;
  std::shared_ptr<const DryBreakers> breakers_;
  RunnerInfo info_;
};

}  // namespace gpqa
