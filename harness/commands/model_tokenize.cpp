#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/commands/command.h"
#include "harness/token_ids.h"
#include "prompts/input_error.h"
#include "runners/model_files/tokenizer.h"

namespace gpqa {
namespace {

struct Options {
  std::string model;
  bool decode = false;
  bool no_special = false;
  bool add_bos = false;
  bool json = false;
};

std::string read_text(const std::string& line, bool as_json) {
  if (!as_json) return line;
  const auto text = nlohmann::json::parse(line, nullptr, false);
  if (!text.is_string()) throw InputError("expected a text as a JSON string");
  return text.get<std::string>();
}

std::string converted(const Tokenizer& tokenizer, const std::string& line, const Options& options) {
  using Json = nlohmann::json;
  if (options.decode) {
    const auto text = tokenizer.decode(parse_token_ids(line), !options.no_special);
    return options.json ? Json(text).dump(-1, ' ', false, Json::error_handler_t::replace) : text;
  }
  return Json(tokenizer.encode(read_text(line, options.json),
                               {.add_bos = options.add_bos, .parse_special = !options.no_special}))
      .dump();
}

int run(const Options& options) {
  const Tokenizer tokenizer(read_model_vocabulary(options.model));
  std::string line;
  for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
    try {
      const auto out = converted(tokenizer, line, options) + "\n";
      std::fwrite(out.data(), 1, out.size(), stdout);
    } catch (const InputError& error) {
      throw FormatError("standard input", std::to_string(number), error.what());
    }
  }
  if (std::cin.bad()) throw InputError("can't read standard input to its end");
  return 0;
}

}  // namespace

Command add_model_tokenize(CLI::App& model) {
  auto* app = model.add_subcommand("tokenize", "Lines of text to token ids, or back.");
  auto options = std::make_shared<Options>();
  app->add_option("FILE", options->model, "a GGUF file, or a checkpoint's folder")->required();
  app->add_flag("--decode", options->decode, "ids to text");
  app->add_flag("--no-special", options->no_special,
                "text that spells a control token is text; --decode: leave control tokens out");
  app->add_flag("--add-bos", options->add_bos, "begin each line's ids with <bos>")->excludes("--decode");
  app->add_flag("--json", options->json, "texts are JSON strings, as they must be to hold a newline");
  app->footer(
      "Reads standard input line by line and writes a JSON array of ids for each; --decode takes such "
      "arrays, "
      "or\nids with spaces between them, and writes the text.\n"
      "Example: echo 'What is 2+2?' | gpqa model tokenize model.gguf --add-bos");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
