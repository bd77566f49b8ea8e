#include <csignal>
#include <memory>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/commands/run_options.h"
#include "harness/exit_code.h"
#include "harness/run_folders.h"
#include "harness/run_variant.h"
#include "prompts/input_error.h"
#include "results/inert_text.h"
#include "results/run_journal.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

// Everything that can be wrong without a server is found here.
PreparedPlan prepare(const RunOptions& options) {
  check_run_options(options);
  check_accept(options.accept);
  PreparedPlan prepared;
  prepared.plan = make_plan(options.plan);
  prepared.dataset = load_dataset(prepared.plan.dataset);
  prepared.trials = make_trials(prepared.dataset, prepared.plan.trials);
  prepared.out = options.out.empty() ? fs::path("runs") / prepared.plan.name : fs::path(options.out);
  prepared.accept = options.accept;
  if (holds_run(prepared.out))
    throw InputError(fmt::format("'{}' is itself a run; --out names the folder above the variants' folders",
                                 prepared.out.string()));
  for (const auto& variant : prepared.plan.variants)
    check_stored_run(prepared.out / variant.name, plan_manifest(prepared, variant), prepared.accept);
  return prepared;
}

void announce(const PreparedPlan& prepared) {
  const auto& plan = prepared.plan;
  const auto questions = prepared.trials.size() / plan.trials.repeats;
  fmt::print("gpqa {}: {} questions of {} ({} {}, choice order {}), {} time{} each\n", GPQA_VERSION,
             questions, plan.dataset.filename().string(), plan.task_name, to_string(plan.trials.version),
             plan.trials.shuffle_seed, plan.trials.repeats, plan.trials.repeats == 1 ? "" : "s");
  fmt::print("profile {}: {}\n", plan.profile, plan.profile_summary);
  if (!plan.overrides.empty())
    fmt::print("  with      {}\n", terminal_escape(fmt::format("{}", fmt::join(plan.overrides, " "))));
  for (const auto& assumption : plan.assumptions) fmt::print("  assumes   {}\n", assumption.words);
  const auto& sampling = plan.sampling;
  if (sampling.thinking == Thinking::required && sampling.reasoning_budget &&
      *sampling.reasoning_budget >= sampling.max_tokens)
    fmt::print("  warning   the reasoning budget ({}) leaves nothing of max_tokens ({}) for an answer\n",
               *sampling.reasoning_budget, sampling.max_tokens);
}

int run(const RunOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // a server that hangs up is an error to handle, not an end
  const auto prepared = prepare(options);
  announce(prepared);
  std::int64_t failed = 0;
  for (const auto& variant : prepared.plan.variants) {
    const auto result = run_variant(prepared, variant);
    failed += result.failed;
    if (result.interrupted) {
      fmt::print("\nInterrupted; the same command goes on.\n");
      return kInterrupted;
    }
  }
  // The folder, not the variants: those of other days belong in the table, too.
  fmt::print("\nThe table:\ngpqa compare {}\n", shell_quote(prepared.out.string()));
  return failed > 0 ? kDoneWithFailedTrials : kDone;
}

}  // namespace

Command add_run(CLI::App& root) {
  auto* app = root.add_subcommand("run", "Audit a server, ask it the questions, keep and score the answers.");
  auto options = std::make_shared<RunOptions>();
  add_run_options(*app, *options);
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
