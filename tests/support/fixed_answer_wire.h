// What the fixed-answer server reads and writes: the JSON of llama-server, its shapes taken from captures of
// a real one.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/fixed_generation.h"

namespace gpqa::test {

using Json = nlohmann::ordered_json;

// An answer with an error status: {"error": {"code", "message", "type"}}.
class WireError : public std::runtime_error {
 public:
  WireError(int status, std::string type, const std::string& message)
      : std::runtime_error(message), status_(status), type_(std::move(type)) {}
  int status() const { return status_; }
  std::string body() const;

 private:
  int status_;
  std::string type_;
};

struct ModelCard {
  std::string id = "fixed-answers";
  std::string path = "/models/fixed-answers.gguf";
  std::string ftype = "Q6_K";
  std::string build = "b11434-fixed";
  std::int64_t n_params = 8999750;
  std::int64_t bytes = 5977368;
  std::int64_t n_vocab = 262144;
  bool gemma4 = true;  // its template thinks; else a plain one that can't
  std::int64_t slots = 1;
  std::int64_t n_ctx = 32768;  // of a slot
  bool thinks = true;          // unless a request says otherwise
};

struct ChatRequest {     // NOLINT(bugprone-exception-escape): moving JSON asserts
  Json settings;         // generation_settings, as read back
  std::string question;  // the last user message as it came
  std::string prompt;    // after the template
  std::int64_t prompt_tokens = 0;
  std::uint32_t seed = 0;  // for the choice of the answer: 0 where nothing is drawn
  bool thinking = false;
  bool tags_in_content = false;  // reasoning_format none
  std::optional<std::int64_t> budget;
  std::string budget_message;
  std::int64_t max_tokens = -1;
  std::vector<std::string> stop;
  bool stream = false, usage = false, verbose = false, return_tokens = false, token_timings = false;
  std::int64_t top_logprobs = -1;  // -1: no logprobs
};

// Throw WireError where llama-server answers 400. `forced` replaces settings whatever a request asks for.
ChatRequest read_chat_request(const std::string& body, const ModelCard& card, const Json& forced);
std::string apply_template(const Json& request, const ModelCard& card);
std::int64_t count_tokens(std::string_view prompt);  // BOS included

Json props(const ModelCard& card, const Json& forced);
Json models(const ModelCard& card);
Json slots(const ModelCard& card);
Json tokenize(const Json& request);

// The parts of one answer.
class AnswerWriter {
 public:
  AnswerWriter(const ModelCard& card, const ChatRequest& request, const Generated& generated,
               std::uint64_t number);

  std::string whole() const;        // the body without stream
  std::string first_event() const;  // the role
  // Of the token at `index`, "" if it shows nothing.
  std::string token_event(std::size_t index) const;
  std::string last_events() const;  // finish reason, usage, [DONE]

 private:
  Json verbose(bool streaming) const;
  Json usage() const;
  std::string timings(std::size_t predicted) const;
  Json logprob(const Token& token) const;
  std::string event(Json delta, const Json& finish, const Json* verbose, bool timed) const;

  const ModelCard& card_;
  const ChatRequest& request_;
  const Generated& generated_;
  std::string id_;
  std::int64_t created_;
  std::string event_tail_;
};

}  // namespace gpqa::test
