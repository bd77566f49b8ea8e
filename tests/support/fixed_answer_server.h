// A server that speaks llama-server's HTTP and says fixed answers, for tests and benches without a model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/support/fixed_answer_wire.h"

namespace gpqa::test {

struct FixedAnswerOptions {
  std::uint16_t port = 0;  // 0: a free one
  ModelCard model;
  std::filesystem::path answers;  // JSON lines by prompt; a prompt that isn't there is answered by its hash
  std::size_t deltas = 0;         // above 0: every answer has as many words, and no file is asked
  int delay_ms = 0;               // before each token
  int loading_ms = 0;             // 503 "Loading model" at first
  std::string endless_on;         // a prompt with this in it is answered without an end; "": none
  std::string api_key;            // "": any will do. Else everything but /health wants it
  Json forced = Json::object();   // settings used whatever a request asks for
};

// Serves on threads of its own until it is destroyed. Throws std::runtime_error if the port is taken.
class FixedAnswerServer {
 public:
  explicit FixedAnswerServer(FixedAnswerOptions options);
  ~FixedAnswerServer();
  FixedAnswerServer(const FixedAnswerServer&) = delete;
  FixedAnswerServer& operator=(const FixedAnswerServer&) = delete;

  std::string url() const;
  std::uint64_t answered() const;  // chat completions that came to their end

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gpqa::test
