#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/commands/flex_variant.h"
#include "prompts/input_error.h"
#include "scoring/extract_json.h"

namespace gpqa {
namespace {

struct Options {
  std::string in = "-";
  FlexVariant variant = FlexVariant::v0_4_13;
};

int run(const Options& options) {
  std::ifstream file;
  const bool standard_input = options.in == "-";
  if (!standard_input) {
    file.open(options.in, std::ios::binary);
    if (!file) throw InputError(fmt::format("can't read '{}'", options.in));
  }
  std::istream& in = standard_input ? std::cin : file;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      fmt::print("{}\n", extract_json_line(line, options.variant));
    } catch (const InputError& error) {
      throw FormatError(standard_input ? "standard input" : options.in, std::to_string(number), error.what());
    }
  }
  if (in.bad()) throw InputError(fmt::format("can't read '{}' to its end", options.in));
  return 0;
}

}  // namespace

Command add_extract(CLI::App& root) {
  auto* app =
      root.add_subcommand("extract", "Extract and score answers exactly as lm-eval's two filters do.");
  auto options = std::make_shared<Options>();
  app->add_option("--in", options->in, "JSON lines {id, choices, target, response}; -: standard input")
      ->capture_default_str()
      ->type_name("FILE");
  add_flex_variant(*app, options->variant);
  app->footer(
      "One JSON line each: id, strict_extracted, strict_score, flex_extracted, flex_score.\n"
      "Example: gpqa extract --in answers.jsonl");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
