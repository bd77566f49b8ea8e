#include "runners/remote/budget_probe.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
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

constexpr std::int64_t kBudget = 16;
constexpr std::int64_t kMaxTokens = 64;  // enough for tags, budget and some answer
constexpr std::string_view kPrompt =
    "Think step by step: what is 17 times 23? Check your result in two more ways.";

struct ThoughtTags {
  std::string_view open;
  std::string_view close;
};
constexpr std::array kTags = {ThoughtTags{"<|channel>thought", "<channel|>"},
                              ThoughtTags{"<think>", "</think>"}};

Tokens tokens_at(const Json& object, const char* key) {
  Tokens tokens;
  for (const Json& token : member_of(object, key)) {
    if (!token.is_number_integer()) {
      return {};
    }
    tokens.push_back(token.get<std::int64_t>());
  }
  return tokens;
}

Tokens tokenize(HttpClient& http, std::string_view text) {
  const auto result =
      post_json(http, "/tokenize", {{"content", text}, {"add_special", false}, {"parse_special", true}});
  return result.json ? tokens_at(*result.json, "tokens") : Tokens();
}

// Tokens of the thought that `open` begins; `closed` false: generation ended before `close`.
struct Thought {
  std::int64_t tokens = 0;
  bool closed = false;
};
std::optional<Thought> find_thought(const Tokens& tokens, const Tokens& open, const Tokens& close) {
  const auto begin = std::search(tokens.begin(), tokens.end(), open.begin(), open.end());
  if (begin == tokens.end()) {
    return std::nullopt;
  }
  const auto first = begin + static_cast<std::ptrdiff_t>(open.size());
  const auto end = std::search(first, tokens.end(), close.begin(), close.end());
  return Thought{.tokens = end - first, .closed = end != tokens.end()};
}

// "<[100]> <[45518]>": token ids in llama.cpp's grammars.
std::string grammar_tokens(const Tokens& tokens) {
  std::string text;
  for (const auto token : tokens) {
    text += fmt::format("<[{}]> ", token);
  }
  return text;
}

class Probe {
 public:
  Probe(HttpClient& http, const SamplingConfig& sampling, const std::string& model_id) : http_(http) {
    SamplingConfig greedy = sampling;
    greedy.reasoning_budget = kBudget;
    greedy.reasoning_budget_message = "";
    greedy.temperature = 0;
    greedy.max_tokens = kMaxTokens;
    greedy.cache_prompt = false;
    body_["messages"] = Json::array({{{"role", "user"}, {"content", kPrompt}}});
    body_["model"] = model_id;
    body_.update(sampling_fields(greedy, 1));
    body_["verbose"] = true;
    body_["return_tokens"] = true;
  }

  BudgetProbe run() {
    std::string why = "the server doesn't split its tokens (no /tokenize)";
    for (const auto& tags : kTags) {
      const Tokens open = tokenize(http_, tags.open);
      const Tokens close = tokenize(http_, tags.close);
      // A model without these tags spells them out; its thoughts begin some other way.
      if (open.empty() || close.size() != 1) {
        continue;
      }
      for (const bool forced : {false, true}) {
        const auto result = ask(
            forced ? fmt::format("root ::= {}!<[{}]>+ <[{}]> .*", grammar_tokens(open), close[0], close[0])
                   : "");
        if (!result.json) {
          why = fmt::format("HTTP {}: {}", result.error.code, result.error.message);
          continue;
        }
        const Tokens tokens = tokens_at(member_of(*result.json, "__verbose"), "tokens");
        if (const auto thought = find_thought(tokens, open, close)) {
          if (thought->tokens > kBudget) {
            return {.verdict = BudgetProbe::Verdict::ignored,
                    .text = fmt::format("a budget of {} let {} tokens through", kBudget, thought->tokens)};
          }
          if (thought->tokens == kBudget && thought->closed) {
            return {.verdict = BudgetProbe::Verdict::obeyed, .text = fmt::format("cut at {}", kBudget)};
          }
          why = fmt::format("the thought ended by itself after {} tokens", thought->tokens);
        } else {
          why = "the model opened no thought";
        }
      }
      break;
    }
    return {.verdict = BudgetProbe::Verdict::not_exercised, .text = "not exercised: " + why};
  }

 private:
  CallResult ask(const std::string& grammar) {
    Json body = body_;
    if (!grammar.empty()) {
      body["grammar"] = grammar;
    }
    return post_json(http_, "/v1/chat/completions", body);
  }

  HttpClient& http_;
  Json body_;
};

}  // namespace

BudgetProbe probe_budget(HttpClient& http, const SamplingConfig& sampling, const std::string& model_id) {
  return Probe(http, sampling, model_id).run();
}

}  // namespace gpqa
