// harness/: the command line. Only here is anything printed, and only here does the program end.
#include <csignal>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/exit_code.h"
#include "harness/suggest.h"
#include "prompts/input_error.h"
#include "results/inert_text.h"
#include "runners/remote/http_client.h"
#include "runners/runner_errors.h"

namespace {

using namespace gpqa;

int complain(const char* text, ExitCode code) {
  std::fflush(stdout);
  fmt::print(stderr, "gpqa: {}\n", terminal_escape(text));
  return code;
}

// CLI11 would only say that a command is missing.
void check_command(const CLI::App& app, std::span<char* const> words) {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  if (commands.empty() || words.empty() || words[0][0] == '\0' || words[0][0] == '-') return;
  const std::string word = words[0];
  std::vector<std::string> known;
  for (const auto* command : commands) {
    if (command->get_name() == word) return check_command(*command, words.subspan(1));
    known.push_back(command->get_name());
  }
  throw InputError(fmt::format("unknown command '{}'{}", word, suggestion(word, known)));
}

// What CLI11 didn't take, and what may be meant.
std::string unexpected(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  std::vector<std::string> known;
  for (const auto* option : command->get_options())
    for (const auto& name : option->get_lnames()) known.push_back("--" + name);
  std::string text = error.what();
  // CLI11 says that it couldn't, not what it would take.
  constexpr std::string_view kCould = "Could not convert: ";
  if (text.starts_with(kCould))
    text = fmt::format("{}: expected a number within its range", text.substr(kCould.size()));
  for (const auto& word : command->remaining(true)) {
    const auto name = word.substr(0, word.find('='));
    if (!name.starts_with("--")) continue;
    if (const auto meant = nearest_name(name, known); !meant.empty())
      text += fmt::format("\n{}: did you mean {}?", name, meant);
  }
  return text;
}

int run_command_line(int argc, char** argv) {
  CLI::App app(
      "GPQA Diamond for local models: reruns a model card's figure, and says whether variants can be told "
      "apart.",
      "gpqa");
  app.set_version_flag("--version", "gpqa " GPQA_VERSION);
  app.require_subcommand(1);
  app.footer(
      "gpqa COMMAND --help explains each. A first run:\n"
      "  gpqa run --dataset gpqa_diamond.csv --server http://127.0.0.1:8099 --name 128e");
  const Command commands[] = {add_run(app),     add_compare(app),  add_show(app),    add_rescore(app),
                              add_export(app),  add_profiles(app), add_prompts(app), add_extract(app),
                              add_dataset(app), add_doctor(app),   add_model(app),   add_experts(app)};
  check_command(app, std::span(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return complain(fmt::format("{}\nRun with --help for more.", unexpected(app, error)).c_str(), kBadInput);
  }
  for (const auto& command : commands)
    if (command.app->parsed()) return command.run();
  return kBadInput;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is an error that says so
  try {
    const int code = run_command_line(argc, argv);
    if (std::fflush(stdout) != 0) return complain("can't write to standard output", kOurFailure);
    return code;
  } catch (const InputError& error) {
    return complain(error.what(), kBadInput);
  } catch (const AuditRefused& error) {
    return complain(error.what(), kRefused);
  } catch (const RunAborted& error) {
    return complain(
        fmt::format("{}\nThe answers so far are kept; the same command goes on.", error.what()).c_str(),
        kOurFailure);
  } catch (const TransportError& error) {
    return complain(error.what(), kOurFailure);
  } catch (const Interrupted&) {
    return complain("interrupted before the first question; the same command starts again", kInterrupted);
  } catch (const std::exception& error) {
    return complain(error.what(), kOurFailure);
  }
}
