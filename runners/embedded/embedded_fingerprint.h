// What a model says greedily to a fixed prompt, in the form that a server's fingerprint has.
#pragma once

#include <string>

#include "runners/embedded/chat_model.h"
#include "runners/embedded/engine/loaded_model.h"

namespace gpqa {

struct EmbeddedFingerprint {
  std::string json;         // as runners/remote/fingerprint.h
  double tokens_per_s = 0;  // while it was taken
};

// 32 tokens without a thought, and the 5 likeliest at each place. Before an engine has the model.
EmbeddedFingerprint take_embedded_fingerprint(LoadedModel& model, const ChatModel& chat);

}  // namespace gpqa
