// A trial as `gpqa prompts` prints it.
#pragma once

#include <string>

#include "prompts/trial.h"

namespace gpqa {

// {"doc_id", "prompt", "choices", "target"}, one line without its newline.
std::string prompt_json_line(const Trial& trial);

}  // namespace gpqa
