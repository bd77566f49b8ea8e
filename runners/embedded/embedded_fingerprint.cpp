#include "runners/embedded/embedded_fingerprint.h"

#include <chrono>
#include <cmath>

#include <nlohmann/json.hpp>

#include "runners/embedded/engine/scheduler.h"
#include "runners/embedded/sampling/logprobs.h"
#include "runners/fingerprint_prompt.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

Json entry(const TopProbabilities& top) {
  constexpr double kSteps = 1e4;
  Json likeliest = Json::array();
  for (const auto& token : top.top)
    likeliest.push_back(
        Json::array({token.id, std::round(static_cast<double>(logprob(token.p)) * kSteps) / kSteps}));
  return {{"id", top.top.front().id}, {"top", std::move(likeliest)}};
}

}  // namespace

EmbeddedFingerprint take_embedded_fingerprint(LoadedModel& model, const ChatModel& chat) {
  Json tokens = Json::array();
  std::string error;
  Clock::time_point first;
  SequenceRequest request;
  request.prompt = chat.prompt(kFingerprintPrompt, false);
  request.max_tokens = kFingerprintTokens;
  request.choose = [&](std::span<const float> logits) {
    if (tokens.empty()) first = Clock::now();
    const auto top = top_probabilities(logits, kFingerprintTop, 0);
    tokens.push_back(entry(top));
    return top.top.front().id;
  };
  request.on_token = [&](std::int32_t token) { return !chat.tokenizer().is_end_of_generation(token); };
  request.on_done = [&](SequenceEnd, const std::string& what) { error = what; };
  Scheduler(model.backend(), model.model()).run_alone(std::move(request));
  EmbeddedFingerprint print;
  const double seconds = std::chrono::duration<double>(Clock::now() - first).count();
  if (tokens.size() > 1 && seconds > 0) print.tokens_per_s = static_cast<double>(tokens.size() - 1) / seconds;
  print.json = error.empty() ? Json({{"prompt", kFingerprintPrompt}, {"tokens", tokens}}).dump()
                             : Json({{"error", error}}).dump(-1, ' ', false, Json::error_handler_t::replace);
  return print;
}

}  // namespace gpqa
