#include <cstdint>
#include <memory>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/plan.h"
#include "prompts/dataset.h"
#include "prompts/prompt_json.h"

namespace gpqa {
namespace {

struct Options {
  std::string dataset;
  std::string task_version = "2.2";
  std::uint64_t seed = 0;
  double limit = 0;
};

int run(const Options& options) {
  Plan plan;
  use_task_version(plan, parse_task_version(options.task_version));
  if (options.limit != 0) use_limit(plan, options.limit);
  plan.trials.shuffle_seed = options.seed;
  const auto dataset = load_dataset(options.dataset);
  for (const auto& trial : make_trials(dataset, plan.trials)) fmt::print("{}\n", prompt_json_line(trial));
  return 0;
}

}  // namespace

Command add_prompts(CLI::App& root) {
  auto* app =
      root.add_subcommand("prompts", "Print the prompts, choices and gold letters that lm-eval would make.");
  auto options = std::make_shared<Options>();
  app->add_option("--dataset", options->dataset, "gpqa_{diamond,main,extended}.csv")
      ->required()
      ->type_name("FILE");
  app->add_option("--seed", options->seed, "of the order of the choices, as lm-eval's --seed")
      ->capture_default_str()
      ->type_name("N")
      ->check(whole_number());
  app->add_option("--task-version", options->task_version, "how choices are cleaned: 1.0, 2.1 or 2.2")
      ->capture_default_str()
      ->type_name("VERSION");
  app->add_option("--limit", options->limit, "only the first N questions; below 1: that part of them")
      ->type_name("N");
  app->footer(
      "One JSON line a question: doc_id, prompt, choices, target.\n"
      "Example: gpqa prompts --dataset gpqa_diamond.csv --limit 1");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
