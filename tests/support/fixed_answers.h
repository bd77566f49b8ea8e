// What the fixed-answer server says: answers from a file, or a function of the prompt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace gpqa::test {

struct FixedAnswer {
  std::string content;
  std::string reasoning;
  std::string finish_reason;  // "": by how it ends; "length": as if max_tokens had come
};

// The same for the same prompt and seed. Styles are mixed: what both filters find, what only one finds,
// nothing.
FixedAnswer answer_of_prompt(std::string_view prompt, std::uint32_t seed);

// `deltas` words, three quarters of them reasoning; ends in an answer.
FixedAnswer long_answer(std::size_t deltas);

// JSON lines {"prompt", "content", "reasoning"?, "finish_reason"?}. Throws std::runtime_error with the line.
std::map<std::string, FixedAnswer> load_answers(const std::filesystem::path& file);

// FNV-1a: the same on every machine.
std::uint64_t text_hash(std::string_view text);

}  // namespace gpqa::test
