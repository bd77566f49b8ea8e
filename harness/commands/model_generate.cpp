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
#include "harness/interrupt.h"
#include "harness/profiles.h"
#include "harness/sampling_fields.h"
#include "prompts/input_error.h"
#include "results/inert_text.h"
#include "runners/embedded/chat_model.h"
#include "runners/embedded/engine/scheduler.h"
#include "runners/embedded/sampling/sampler.h"

namespace gpqa {
namespace {

struct Options {
  std::string model, prompt, profile = "card";
  bool greedy = false, raw = false, ids = false, force_template = false;
  std::uint32_t seed = 0;
  std::optional<std::int64_t> max_tokens;
  std::vector<std::string> set;
  EngineOptions engine;
};

SamplingConfig sampling_of(const Options& options) {
  auto sampling = find_profile(options.greedy ? "greedy" : options.profile).sampling;
  for (const auto& text : options.set) {
    const auto [field, value] = parse_assignment(text);
    set_sampling_field(sampling, field, value);
  }
  if (options.max_tokens) sampling.max_tokens = *options.max_tokens;
  return sampling;
}

int run(const Options& options) {
  auto source = std::make_unique<ModelSource>(options.model);
  const ChatModel chat(*source, options.force_template || options.raw);
  const auto sampling = sampling_of(options);
  const auto settings = resolve(sampling, chat.baked());
  check(settings);
  const bool thinking = sampling.thinking == Thinking::required && !options.raw;
  const auto prompt = options.raw ? chat.tokenizer().encode(options.prompt, {.add_bos = true})
                                  : chat.prompt(options.prompt, thinking);
  const InterruptGuard interrupt("gpqa: stopping (once more: leave at once)");
  const auto loaded = load_model(std::move(source), options.engine,
                                 {.slots = 1,
                                  .cells = prompt.size() + static_cast<std::size_t>(sampling.max_tokens),
                                  .max_tokens = std::min<std::size_t>(prompt.size(), 512),
                                  .max_logits = 1});
  Sampler sampler(
      settings, options.seed, chat.dry_breakers(settings),
      thinking ? std::optional(chat.reasoning_tags(settings.reasoning_budget_message)) : std::nullopt);
  sampler.accept_prompt(prompt);
  std::vector<std::int32_t> written;
  std::string text;  // that isn't printed yet: the beginning of a character
  std::string error;
  SequenceRequest request;
  request.prompt = prompt;
  request.max_tokens = sampling.max_tokens;
  request.choose = [&](std::span<const float> logits) { return sampler.sample(logits); };
  request.on_token = [&](std::int32_t token) {
    written.push_back(token);
    text += chat.tokenizer().piece(token);
    if (!options.ids && ends_character(text)) {
      fmt::print("{}", terminal_escape(text));
      std::fflush(stdout);
      text.clear();
    }
    return !chat.tokenizer().is_end_of_generation(token) && !interrupt.interrupted();
  };
  request.on_done = [&](SequenceEnd, const std::string& what) { error = what; };
  Scheduler(loaded->backend(), loaded->model()).run_alone(std::move(request));
  if (!error.empty()) throw InputError(error);
  if (options.ids)
    fmt::print("[{}]\n", fmt::join(written, ","));
  else
    fmt::print("{}\n", terminal_escape(text));
  return interrupt.interrupted() ? kInterrupted : kDone;
}

}  // namespace

Command add_model_generate(CLI::App& model) {
  auto* app = model.add_subcommand("generate", "Let a model answer once, as a run would sample it.");
  auto options = std::make_shared<Options>();
  app->add_option("FILE", options->model, "a GGUF file, or a checkpoint's folder")->required();
  app->add_option("--prompt", options->prompt, "what the user says")->type_name("TEXT")->required();
  app->add_flag("--raw", options->raw, "the text as it is, without the model's chat template");
  auto* profile = app->add_option("--profile", options->profile, "how to sample; `gpqa profiles` shows them");
  profile->type_name("NAME")->capture_default_str();
  app->add_flag("--greedy", options->greedy, "the most probable token each time")->excludes(profile);
  app->add_option("--set", options->set, "override a sampling field, e.g. min_p=0; may be repeated")
      ->type_name("FIELD=VALUE")
      ->allow_extra_args(false);
  app->add_option("--seed", options->seed, "of the sampling")->type_name("N")->capture_default_str();
  app->add_option("--max-tokens", options->max_tokens, "at most so many [the profile's]")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
  app->add_flag("--ids", options->ids, "print the tokens' ids, not their text");
  app->add_flag("--force-template", options->force_template, "Gemma 4's, where the file's own isn't known");
  add_engine_options(*app, options->engine);
  app->footer(
      "Tags are printed too: <|channel>thought ... <channel|> is what a run keeps as reasoning.\n"
      "Example: gpqa model generate gemma-4-26B-A4B-it-Q6_K.gguf --prompt 'Which is heavier?' --seed 7");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
