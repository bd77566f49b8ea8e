#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/commands/command.h"
#include "harness/engine_options.h"
#include "harness/exit_code.h"
#include "harness/token_ids.h"
#include "prompts/input_error.h"
#include "results/posix_file.h"
#include "runners/model_files/tokenizer.h"

namespace gpqa {
namespace {

constexpr std::size_t kStep = 64;  // tokens: what comes of one is printed before the next
constexpr std::size_t kLongestPrompt = 64U << 20;

struct Options {
  std::string model;
  std::vector<std::string> tokens;
  std::string prompt_file;
  bool all = false;
  EngineOptions engine;
};

std::vector<std::int32_t> ids_of(const Options& options, const ModelSource& source) {
  std::vector<TokenId> ids;
  for (const auto& some : options.tokens)
    for (const auto id : parse_token_ids(some)) ids.push_back(id);
  if (!options.prompt_file.empty())
    ids = source.tokenizer().encode(read_whole_file(options.prompt_file, kLongestPrompt), {.add_bos = true});
  if (ids.empty()) throw InputError("which tokens? Give --tokens 2,10,... or --prompt-file FILE");
  for (const auto id : ids)
    if (id < 0 || static_cast<std::size_t>(id) >= source.config().vocabulary)
      throw InputError(
          fmt::format("token {}: the vocabulary ends at {}", id, source.config().vocabulary - 1));
  return ids;
}

int run(const Options& options) {
  auto source = std::make_unique<ModelSource>(options.model);
  const auto ids = ids_of(options, *source);
  const std::size_t step = std::min(ids.size(), kStep);
  const auto loaded = load_model(std::move(source), options.engine,
                                 {.slots = 1, .cells = ids.size(), .max_tokens = step, .max_logits = step});
  const std::size_t vocabulary = loaded->model().config().vocabulary;
  fmt::print("{{\"n\": {}, \"vocab\": {}, \"logits\": [", ids.size(), vocabulary);
  bool first = true;
  for (std::size_t start = 0; start < ids.size(); start += step) {
    Batch batch;
    std::vector<std::size_t> wanted;
    for (std::size_t i = start; i < std::min(start + step, ids.size()); ++i) {
      if (options.all || i + 1 == ids.size()) wanted.push_back(batch.size());
      batch.add(ids[i], i, 0);
    }
    const auto logits = loaded->backend().read_back(loaded->model().forward(batch, wanted));
    for (std::size_t row = 0; row < wanted.size(); ++row) {
      const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(row * vocabulary);
      fmt::print("{}[{}]", first ? "" : ",\n",
                 fmt::join(begin, begin + static_cast<std::ptrdiff_t>(vocabulary), ","));
      first = false;
    }
  }
  fmt::print("]}}\n");
  return kDone;
}

}  // namespace

Command add_model_logits(CLI::App& model) {
  auto* app =
      model.add_subcommand("logits", "Print what a model says of the next token, before any sampler.");
  auto options = std::make_shared<Options>();
  app->add_option("FILE", options->model, "a GGUF file, or a checkpoint's folder")->required();
  auto* tokens = app->add_option("--tokens", options->tokens, "the ids to read, the first one at position 0")
                     ->type_name("ID,ID,...");
  app->add_option("--prompt-file", options->prompt_file, "a text to read instead, with `<bos>` before it")
      ->type_name("FILE")
      ->excludes(tokens);
  app->add_flag("--all", options->all, "after each token [after the last one]");
  add_engine_options(*app, options->engine);
  app->footer(
      "One JSON object: n, vocab, logits (a list a position). Numbers have as many digits as float32 needs.\n"
      "Example: gpqa model logits tiny.gguf --tokens 2,885,907 --arithmetic float32");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
