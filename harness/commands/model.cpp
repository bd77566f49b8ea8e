#include <memory>
#include <vector>

#include "harness/commands/command.h"
#include "harness/exit_code.h"

namespace gpqa {

Command add_model(CLI::App& root) {
  auto* app = root.add_subcommand("model", "Look into a model's file, and ask it.");
  auto commands = std::make_shared<std::vector<Command>>();
  commands->push_back(add_model_inspect(*app));
  commands->push_back(add_model_logits(*app));
  commands->push_back(add_model_generate(*app));
  commands->push_back(add_model_kld(*app));
  commands->push_back(add_model_tokenize(*app));
  commands->push_back(add_model_bench(*app));
  app->require_subcommand(1);
  app->footer(
      "gpqa model COMMAND --help explains each.\n"
      "Example: echo 'What is 2+2?' | gpqa model tokenize model.gguf");
  return {app, [commands]() -> int {
            for (const auto& command : *commands)
              if (command.app->parsed()) return command.run();
            return kBadInput;
          }};
}

}  // namespace gpqa
