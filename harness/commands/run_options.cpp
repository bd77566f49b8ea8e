#include "harness/commands/run_options.h"

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/engine_options.h"
#include "prompts/input_error.h"

namespace gpqa {
namespace {

void add_plan(CLI::App& app, PlanFlags& plan) {
  constexpr auto kGroup = "A plan of several variants";
  auto* file = app.add_option("--plan", plan.plan, "a plan (TOML): questions, sampling, variants");
  file->type_name("FILE")->group(kGroup);
  app.add_option("--variant", plan.variants, "only this variant of it; may be repeated [all]")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group(kGroup);
}

std::vector<CLI::Option*> add_single(CLI::App& app, PlanFlags& plan) {
  std::vector<CLI::Option*> all;
  const auto option = [&](const char* flag, auto& value, const char* type, const char* words) {
    all.push_back(app.add_option(flag, value, words)->type_name(type));
  };
  option("--server", plan.servers, "URL[,URL]",
         "the llama-server, e.g. http://127.0.0.1:8099; several of the same model share the questions");
  all.back()->delimiter(',')->allow_extra_args(false);
  option("--name", plan.name, "NAME", "what the variant is called, also its folder [model]");
  option(
      "--profile", plan.profile, "NAME",
      "how to sample: card, card-b11434, author-late, lm-eval or greedy; `gpqa profiles` shows them [card]");
  option("--experts", plan.experts, "N", "experts a layer, for the table");
  all.push_back(app.add_flag("--reference", plan.reference, "the others are compared with this variant"));
  option("--map", plan.map, "FILE", "the drop map it was made with");
  option("--calibrated-on", plan.calibrated_on, "WORDS", "the questions that map was made from");
  option(
      "--model", plan.model, "FILE",
      "with --server, the GGUF that should be served: compared with what the server says; without, the model "
      "that answers inside gpqa");
  option("--api-key-env", plan.api_key_env, "VARIABLE",
         "the environment variable that holds the server's key");
  option("--concurrency", plan.concurrency, "N", "requests at a time, at most [what slots and context hold]");
  option("--context-pool", plan.context_pool, "TOKENS", "context that all slots have together [one slot's]");
  all.push_back(app.add_flag("--force-template", plan.force_template,
                             "go on with a chat template that gpqa doesn't know"));
  for (auto* each : all) each->group("Or one variant");
  constexpr auto kEngine = "Of a model that answers inside gpqa";
  const auto of_engine = [&](const char* flag, auto& value, const char* type, const char* words) {
    option(flag, value, type, words);
    all.back()->group(kEngine);
  };
  of_engine("--slots", plan.engine.slots, "N", "answers at a time [4]");
  all.back()->check(CLI::Range(1, 4096));
  of_engine("--context", plan.engine.context, "TOKENS", "that a slot holds [what prompts and answers need]");
  for (auto* each : add_engine_options(app, plan.engine, kEngine)) all.push_back(each);
  return all;
}

void add_changes(CLI::App& app, PlanFlags& plan) {
  const auto option = [&](const char* flag, auto& value, const char* type, const char* words) {
    return app.add_option(flag, value, words)->type_name(type)->allow_extra_args(false)->group("For either");
  };
  option("--dataset", plan.dataset, "FILE", "gpqa_{diamond,main,extended}.csv");
  option("--set", plan.set, "FIELD=VALUE",
         "override a sampling field, e.g. min_p=0; the value \"server\" leaves it to the server; may be "
         "repeated");
  option("--task-version", plan.task_version, "VERSION",
         "how choices are cleaned: 1.0, 2.1 or 2.2 [the profile's]");
  option("--limit", plan.limit, "N", "only the first N questions; below 1: that part of them [all]");
  option("--repeats", plan.repeats, "R", "ask each question so often [1]")->check(whole_number());
  option("--seed", plan.seed, "N", "of the order of the choices, as lm-eval's --seed [0]")
      ->check(whole_number());
  option("--run-seed", plan.run_seed, "N",
         "of the sampling: gives each question and repeat a seed of its own [0]")
      ->check(whole_number());
}

}  // namespace

void add_run_options(CLI::App& app, RunOptions& options) {
  add_plan(app, options.plan);
  options.instead_of_plan = add_single(app, options.plan);
  add_changes(app, options.plan);
  app.add_option("--out", options.out,
                 "the folder that gets a folder for each variant [runs/PLAN or runs/NAME]")
      ->type_name("DIR")
      ->group("For either");
  app.add_option(
         "--accept-change", options.accept,
         "go on with a run though this field of its run.json has changed, e.g. runner.build after the "
         "server's upgrade; noted in the run; may be repeated")
      ->type_name("FIELD")
      ->allow_extra_args(false)
      ->group("For either");
  app.footer(
      "The same command goes on where an interrupted run stopped. In [brackets]: what holds without the "
      "option.\n"
      "Examples: gpqa run --plan plans/card.toml --variant 98e\n"
      "          gpqa run --dataset gpqa_diamond.csv --server http://127.0.0.1:8099 --name 98e --set "
      "temp=0.7\n"
      "          gpqa run --dataset gpqa_diamond.csv --model 98e-Q6_K.gguf --name 98e --slots 8\n"
      "Exit codes: 0 done, 1 failure, 2 wrong usage or input, 3 refused by the audit, 4 done with failed "
      "trials,\n"
      "            130 interrupted.");
}

void check_run_options(const RunOptions& options) {
  if (options.plan.plan.empty()) {
    if (!options.plan.variants.empty())
      throw InputError("--variant picks from a plan: give --plan FILE, or --name");
    return;
  }
  for (const auto* option : options.instead_of_plan)
    if (option->count() > 0)
      throw InputError(
          fmt::format("{} and --plan exclude each other: write it into the plan", option->get_name()));
}

}  // namespace gpqa
