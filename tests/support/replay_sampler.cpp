// replay-sampler: draws the tokens of a server's answers again, from the probabilities that the server gave.
//
//     replay-sampler MODEL < answers.jsonl
//
// A line in: {"user", "seed", "sampling": {fields by llama-server's names}, "never": [ids biased by -inf],
//             "steps": [[[id, logprob], ...], ...], "tokens": [what the server drew]}
// A line out: {"prompt": [ids], "tokens": [drawn here], "nudged": [steps]}
//
// Prompt, tags of reasoning, breakers and settings are made as a run makes them. An id that a step doesn't
// list is taken to be less likely than all listed. Where another token than the server's is drawn, the step
// is drawn again with each logprob moved by less than its own rounding; if one of these draws gives the
// server's token, the step is `nudged` and the answer goes on from that draw, else it ends here.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/embedded/chat_model.h"
#include "runners/embedded/model/model_source.h"
#include "runners/embedded/sampling/sampler.h"

namespace {

using Json = nlohmann::json;

// A float logprob is log(exp(l - max) / sum): each of these steps, and DRY's subtraction from the logit
// itself, is off by a few ulps of numbers not above its own size and 32.
constexpr float kRounding = 0x1p-20f;
constexpr int kNudges = 1000;

struct Answer {
  gpqa::SamplingConfig asked;
  std::uint32_t seed = 0;
  std::vector<gpqa::LogitBias> biases;
  std::vector<std::vector<float>> steps;  // logits
  std::vector<int> tokens;
};

gpqa::SamplingConfig sampling_of(const Json& fields) {
  gpqa::SamplingConfig sampling;
  std::size_t known = 0;
  gpqa::for_each_sampling_field(sampling, [&](const char* name, auto& field) {
    if (!fields.contains(name)) return;
    field = fields.at(name).get<typename std::decay_t<decltype(field)>::value_type>();
    ++known;
  });
  if (known != fields.size()) throw gpqa::InputError("a field of \"sampling\" is unknown: " + fields.dump());
  return sampling;
}

std::vector<float> logits_of(const Json& listed, std::size_t vocabulary) {
  std::vector<std::pair<std::size_t, float>> known;
  for (const auto& entry : listed) {
    known.emplace_back(entry.at(0).get<std::size_t>(), entry.at(1).get<float>());
  }
  if (known.empty()) throw gpqa::InputError("a step without probabilities");
  const auto least = std::min_element(known.begin(), known.end(),
                                      [](const auto& a, const auto& b) { return a.second < b.second; });
  std::vector<float> logits(vocabulary, least->second - 1);
  for (const auto& [id, logprob] : known) {
    logits.at(id) = logprob;
  }
  return logits;
}

Answer read_answer(const Json& line, std::size_t vocabulary) {
  Answer answer{.asked = sampling_of(line.at("sampling")),
                .seed = line.at("seed").get<std::uint32_t>(),
                .biases = {},
                .steps = {},
                .tokens = line.at("tokens").get<std::vector<int>>()};
  for (const auto& id : line.at("never")) {
    answer.biases.push_back({.token = id.get<int>(), .bias = -HUGE_VALF});
  }
  for (const auto& listed : line.at("steps")) {
    answer.steps.push_back(logits_of(listed, vocabulary));
  }
  if (answer.steps.size() != answer.tokens.size()) throw gpqa::InputError("not as many steps as tokens");
  return answer;
}

// The sampler after a draw of `wanted` from logits that are the given ones but for their rounding.
std::optional<gpqa::Sampler> nudged(const gpqa::Sampler& before, std::span<const float> logits, int wanted,
                                    std::mt19937& random) {
  std::uniform_real_distribution<float> direction(-1, 1);
  std::vector<float> moved(logits.size());
  for (int attempt = 0; attempt < kNudges; ++attempt) {
    std::transform(logits.begin(), logits.end(), moved.begin(), [&](float logprob) {
      return logprob + direction(random) * kRounding * (2 + std::fabs(logprob));
    });
    gpqa::Sampler sampler = before;
    if (sampler.sample(moved) == wanted) return sampler;
  }
  return std::nullopt;
}

Json replay(const gpqa::ChatModel& chat, const std::string& user, const Answer& answer) {
  auto settings = gpqa::resolve(answer.asked, chat.baked());
  settings.logit_bias = answer.biases;
  const auto prompt = chat.prompt(user, true);
  gpqa::Sampler sampler(settings, answer.seed, chat.dry_breakers(settings),
                        chat.reasoning_tags(settings.reasoning_budget_message));
  sampler.accept_prompt(prompt);
  std::mt19937 random(1);
  std::vector<int> tokens;
  std::vector<std::size_t> nudges;
  for (std::size_t step = 0; step < answer.steps.size(); ++step) {
    const gpqa::Sampler before = sampler;
    const int drawn = sampler.sample(answer.steps[step]);
    if (drawn != answer.tokens[step]) {
      auto other = nudged(before, answer.steps[step], answer.tokens[step], random);
      if (!other) {
        tokens.push_back(drawn);
        break;
      }
      sampler = std::move(*other);
      nudges.push_back(step);
    }
    tokens.push_back(answer.tokens[step]);
  }
  return {{"prompt", prompt}, {"tokens", tokens}, {"nudged", nudges}};
}

void replay_all(const char* model) {
  const gpqa::ModelSource source(model);
  const gpqa::ChatModel chat(source, false);
  for (std::string text; std::getline(std::cin, text);) {
    const auto line = Json::parse(text);
    const auto answer = read_answer(line, chat.tokenizer().size());
    fmt::print("{}\n", replay(chat, line.at("user").get<std::string>(), answer).dump());
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw gpqa::InputError("usage: replay-sampler MODEL < answers.jsonl");
    replay_all(argv[1]);
    return 0;
  } catch (const std::exception& e) {
    std::fputs("replay-sampler: ", stderr);
    std::fputs(e.what(), stderr);
    std::fputs("\n", stderr);
    return 1;
  }
}
