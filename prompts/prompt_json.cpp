#include "prompts/prompt_json.h"

#include <fmt/format.h>

#include "prompts/python_json_string.h"

namespace gpqa {

std::string prompt_json_line(const Trial& trial) {
  const auto& c = trial.choices;
  return fmt::format(R"({{"doc_id": {}, "prompt": {}, "choices": [{}, {}, {}, {}], "target": {}}})",
                     trial.id.doc_id, python_json_string(trial.prompt), python_json_string(c[0]),
                     python_json_string(c[1]), python_json_string(c[2]), python_json_string(c[3]),
                     python_json_string(trial.target()));
}

}  // namespace gpqa
