#include "runners/remote/budget_probe.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/remote/server_calls.h"
#include "runners/remote/wire_format.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;
using Tokens = std::vector<std::int64_t>;
using Verdict = BudgetProbe::Verdict;

constexpr std::int64_t kBudget = 16;
constexpr std::int64_t kMaxTokens = 48;  // tags, budget, and enough after it to see that it was not obeyed
// The server waits for the end of a UTF-8 character before it cuts.
constexpr std::int64_t kUtf8Wait = 3;
constexpr std::string_view kPrompt =
    "Think step by step: what is 17 times 23? Check your result in two more ways.";

Tokens tokens_at(const Json& object, const char* key) {
  Tokens tokens;
  const Json& list = member_of(object, key);
  for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) {
    if (!list[i].is_number_integer()) {
      return {};
    }
    tokens.push_back(list[i].get<std::int64_t>());
  }
  return tokens;
}

// "<[100]> <[45518]> ": token ids in llama.cpp's grammars.
std::string grammar_tokens(const Tokens& tokens) {
  std::string text;
  for (const auto token : tokens) {
    text += fmt::format("<[{}]> ", token);
  }
  return text;
}

struct Thought {
  std::int64_t tokens = 0;
  bool closed = false;  // false: generation ended first
};

class Probe {
 public:
  Probe(HttpClient& http, const SamplingConfig& sampling, const std::string& model_id,
        const ThinkingView& view)
      : http_(http), view_(view) {
    SamplingConfig greedy = sampling;
    greedy.reasoning_budget = kBudget;
    greedy.reasoning_budget_message = "";
    greedy.temperature = 0;
    greedy.max_tokens = kMaxTokens;
    greedy.cache_prompt = false;
    greedy.stop.clear();
    body_["messages"] = user_message(kPrompt);
    body_["model"] = model_id;
    body_.update(sampling_fields(greedy, 1));
    body_["verbose"] = true;
    body_["return_tokens"] = true;
  }

  BudgetProbe run() {
    if (!view_.tags) {
      return not_exercised("the template shows no thought tags known here");
    }
    open_ = tokenize(view_.tags->open);
    close_ = tokenize(view_.tags->close);
    if (open_.empty() || close_.empty()) {
      return not_exercised("the server doesn't split its tags into tokens (no /tokenize)");
    }
    if (view_.opened) {
      in_prompt_ = static_cast<std::int64_t>(tokenize(*view_.opened).size());
    }

    const auto free = ask(body_);
    if (free && free->closed && spent(*free) == kBudget) {
      return {.verdict = Verdict::obeyed, .text = fmt::format("cut at {}", kBudget)};
    }
    const std::string free_error = error_;
    const auto forced = ask(forced_body());
    if (forced) {
      return judge_forced(*forced);
    }
    if (free && spent(*free) > kBudget + kUtf8Wait) {
      return ignored(*free);
    }
    return not_exercised(
        fmt::format("by itself the model {}; made to think: {}",
                    free ? fmt::format("thought {} tokens", spent(*free))
                         : (free_error.empty() ? "opened no thought" : "did not answer: " + free_error),
                    error_.empty() ? "no thought was opened" : error_));
  }

 private:
  static BudgetProbe not_exercised(const std::string& why) {
    return {.verdict = Verdict::not_exercised, .text = "not exercised: " + why};
  }
  BudgetProbe ignored(const Thought& thought) const {
    return {.verdict = Verdict::wrong,
            .text = fmt::format("a budget of {} let {} tokens through", kBudget, spent(thought))};
  }
  // Nothing but the server could have ended this thought.
  BudgetProbe judge_forced(const Thought& thought) const {
    if (spent(thought) > kBudget) {
      return ignored(thought);
    }
    if (!thought.closed) {
      return not_exercised(fmt::format("generation ended after {} tokens", spent(thought)));
    }
    if (spent(thought) < kBudget) {
      return {.verdict = Verdict::wrong,
              .text = fmt::format("a budget of {} was cut at {}", kBudget, spent(thought))};
    }
    return {.verdict = Verdict::obeyed, .text = fmt::format("cut at {}", kBudget)};
  }

  std::int64_t spent(const Thought& thought) const { return in_prompt_ + thought.tokens; }

  Tokens tokenize(std::string_view text) {
    const auto result =
        post_json(http_, "/tokenize", {{"content", text}, {"add_special", false}, {"parse_special", true}});
    return result.json ? tokens_at(*result.json, "tokens") : Tokens();
  }

  Json forced_body() const {
    Json body = body_;
    body["grammar"] = fmt::format("root ::= {}[a-z ]+ {}.*", view_.opened ? "" : grammar_tokens(open_),
                                  grammar_tokens(close_));
    // Forcing leaves the close tag alone in the race, so it comes all the same.
    body["logit_bias"] = Json::array({Json::array({close_.front(), -1000})});
    return body;
  }

  // The first thought of the answer; error_ says why there is no answer.
  std::optional<Thought> ask(const Json& body) {
    error_.clear();
    const auto result = post_json(http_, "/v1/chat/completions", body);
    if (!result.json) {
      error_ = fmt::format("HTTP {}: {}", result.error.code, result.error.message);
      return std::nullopt;
    }
    const Tokens tokens = tokens_at(member_of(*result.json, "__verbose"), "tokens");
    if (tokens.empty()) {
      error_ = "the server shows no tokens";
      return std::nullopt;
    }
    auto first = tokens.begin();
    if (!view_.opened) {
      first = std::search(first, tokens.end(), open_.begin(), open_.end());
      if (first == tokens.end()) {
        return std::nullopt;
      }
      first += static_cast<std::ptrdiff_t>(open_.size());
    }
    const auto end = std::search(first, tokens.end(), close_.begin(), close_.end());
    return Thought{.tokens = end - first, .closed = end != tokens.end()};
  }

  HttpClient& http_;
  const ThinkingView& view_;
  Json body_;
  Tokens open_;
  Tokens close_;
  std::int64_t in_prompt_ = 0;  // tokens of the thought that the template wrote
  std::string error_;
};

}  // namespace

BudgetProbe probe_budget(HttpClient& http, const SamplingConfig& sampling, const std::string& model_id,
                         const ThinkingView& view) {
  return Probe(http, sampling, model_id, view).run();
}

}  // namespace gpqa
