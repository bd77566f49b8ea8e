#include "harness/plan_flags.h"

#include "harness/plan_maps.h"
#include "prompts/input_error.h"

namespace gpqa {
namespace {

Plan plan_of_one(const PlanFlags& flags) {
  if (flags.servers.empty() && flags.model.empty())
    throw InputError(
        "which server, or which model? Give --server URL, or --model FILE for gpqa's own engine (with "
        "--dataset "
        "and --name), or --plan FILE");
  if (!flags.servers.empty() && !(flags.engine == EngineOptions()))
    throw InputError(
        "--slots, --context, --threads, --arithmetic and --no-check are of gpqa's own engine, but a server "
        "answers: leave out --server, or these");
  VariantPlan variant;
  variant.name = flags.name.empty() ? "model" : flags.name;
  variant.experts = flags.experts;
  variant.reference = flags.reference;
  variant.map_file = flags.map;
  variant.calibrated_on = flags.calibrated_on;
  variant.model = flags.model;
  variant.engine = flags.engine;
  variant.engine.force_template = flags.force_template;
  variant.server.urls = flags.servers;
  variant.server.api_key_env = flags.api_key_env;
  variant.server.concurrency = flags.concurrency.value_or(0);
  variant.server.context_pool = flags.context_pool;
  variant.server.force_template = flags.force_template;
  Plan plan;
  plan.name = variant.name;
  plan.variants.push_back(std::move(variant));
  use_profile(plan, flags.profile.empty() ? "card" : flags.profile);
  return plan;
}

}  // namespace

Plan make_plan(const PlanFlags& flags) {
  Plan plan = flags.plan.empty() ? plan_of_one(flags) : load_plan(flags.plan);
  if (!flags.dataset.empty()) plan.dataset = flags.dataset;
  if (!flags.task_version.empty()) use_task_version(plan, parse_task_version(flags.task_version));
  if (flags.limit) use_limit(plan, *flags.limit);
  if (flags.repeats) plan.trials.repeats = *flags.repeats;
  if (flags.seed) plan.trials.shuffle_seed = *flags.seed;
  if (flags.run_seed) plan.trials.run_seed = *flags.run_seed;
  for (const auto& text : flags.set) {
    const auto [field, value] = parse_assignment(text);
    override_sampling(plan, field, value);
  }
  select_variants(plan, flags.variants);
  validate(plan);
  read_maps(plan);
  return plan;
}

}  // namespace gpqa
