#include <memory>
#include <vector>

#include "harness/commands/command.h"
#include "harness/exit_code.h"

namespace gpqa {

Command add_experts(CLI::App& root) {
  auto* app = root.add_subcommand("experts", "Make variants with fewer experts, and look at experts.");
  auto commands = std::make_shared<std::vector<Command>>();
  commands->push_back(add_experts_plan(*app));
  commands->push_back(add_experts_drop(*app));
  commands->push_back(add_experts_verify(*app));
  commands->push_back(add_experts_findings(*app));
  app->require_subcommand(1);
  app->footer(
      "gpqa experts COMMAND --help explains each.\n"
      "Example: gpqa experts drop gemma-4-26B-A4B-it-Q6_K.gguf --map 98e.json gemma-4-98e-Q6_K.gguf");
  return {app, [commands]() -> int {
            for (const auto& command : *commands)
              if (command.app->parsed()) return command.run();
            return kBadInput;
          }};
}

}  // namespace gpqa
