#include "runners/scripted/scripted_runner.h"

#include <utility>

namespace gpqa {

ScriptedRunner::ScriptedRunner(std::function<Completion(const Request&)> answer, RunnerInfo info)
    : answer_(std::move(answer)), info_(std::move(info)) {
  if (info_.kind.empty()) {
    info_.kind = "scripted";
  }
}

void ScriptedRunner::run(RequestSource& source, Sink& sink, std::stop_token stop) {
  while (!stop.stop_requested()) {
    const auto request = source.next();
    if (!request) {
      return;
    }
    Completion completion = answer_(*request);
    completion.id = request->id;
    if (!completion.content.empty()) {
      sink.on_delta(request->id, completion.content);
    }
    sink.on_done(std::move(completion));
  }
}

}  // namespace gpqa
