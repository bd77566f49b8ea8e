// Turns a fixed answer into tokens as a thinking model would generate them: tags, budget, max_tokens, stop
// strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/fixed_answers.h"

namespace gpqa::test {

// A tag, a word with the blanks before it, or one other character; together they are the text.
std::vector<std::string> split_tokens(std::string_view text);
std::int64_t token_id(std::string_view token);  // of the end: 106

struct GenerationLimits {
  bool thinking = false;
  std::optional<std::int64_t> budget;  // nullopt: none
  std::string budget_message;
  std::int64_t max_tokens = -1;  // -1: none
  std::int64_t room = 0;         // context left after the prompt
  std::vector<std::string> stop;
};

struct Token {
  enum class Part { tag, reasoning, content, end };
  std::string text;
  Part part;
};

struct Generated {
  std::vector<Token> tokens;
  std::string finish_reason;  // stop | length
  std::string stop_type;      // eos | word | limit
  std::string stopping_word;
  bool truncated = false;  // by the context

  std::string raw() const;
  std::string text(Token::Part part) const;
};

Generated generate(const FixedAnswer& answer, const GenerationLimits& limits);

}  // namespace gpqa::test
