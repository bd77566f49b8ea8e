// How fast a server generates, for the estimate before a run.
#pragma once

#include <optional>

#include "runners/remote/llama_server_runner.h"

namespace gpqa {

// Tokens a second in one short answer; nullopt where the server doesn't give one: the run itself will say
// why.
std::optional<double> probe_speed(LlamaServerOptions options, const RunnerInfo& info);

}  // namespace gpqa
