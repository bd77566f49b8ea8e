// The text of a question as lm-eval's task writes it.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "prompts/question.h"
#include "prompts/trial.h"

namespace gpqa {

// The task's `preprocess`: a null is one space; else strip, " [title]" -> ". ", what the version removes in
// brackets, and one pass of two spaces -> one.
std::string clean_choice(const Cell& cell, TaskVersion version);

// doc_to_text; the question stands as it is in the file, a null prints "None". Ends with a space.
std::string prompt_text(const Cell& question, const std::array<std::string, 4>& choices);

// The messages as lm-eval hashes and keeps them: json.dumps([{"role": "user", "content": prompt}],
// ensure_ascii=False).
std::string messages_json(std::string_view prompt);

}  // namespace gpqa
