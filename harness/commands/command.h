// The commands of `gpqa`: each adds itself to the command line, and says what it does when it is the one
// chosen.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

namespace gpqa {

struct Command {
  CLI::App* app;
  std::function<int()> run;  // returns an exit code
};

// For unsigned numbers: CLI11 would read -1 as the largest.
inline CLI::Validator whole_number() {
  return CLI::Validator(
      [](const std::string& text) {
        const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
        return digits ? std::string() : "expected a whole number from 0, found " + text;
      },
      "");
}

Command add_run(CLI::App& root);
Command add_compare(CLI::App& root);
Command add_show(CLI::App& root);
Command add_rescore(CLI::App& root);
Command add_export(CLI::App& root);
Command add_profiles(CLI::App& root);
Command add_prompts(CLI::App& root);
Command add_extract(CLI::App& root);
Command add_dataset(CLI::App& root);
Command add_doctor(CLI::App& root);
Command add_model(CLI::App& root);
Command add_experts(CLI::App& root);

// Under `gpqa model`.
Command add_model_inspect(CLI::App& model);
Command add_model_logits(CLI::App& model);
Command add_model_generate(CLI::App& model);
Command add_model_kld(CLI::App& model);
Command add_model_tokenize(CLI::App& model);
Command add_model_bench(CLI::App& model);

// Under `gpqa experts`.
Command add_experts_plan(CLI::App& experts);
Command add_experts_drop(CLI::App& experts);
Command add_experts_verify(CLI::App& experts);
Command add_experts_findings(CLI::App& experts);

}  // namespace gpqa
