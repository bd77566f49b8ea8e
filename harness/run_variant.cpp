#include "harness/run_variant.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/evaluate.h"
#include "harness/interrupt.h"
#include "harness/progress_display.h"
#include "harness/run_folders.h"
#include "harness/variant_runner.h"
#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "results/inert_text.h"
#include "results/posix_file.h"
#include "results/run_files.h"
#include "results/run_journal.h"
#include "results/summary.h"
#include "runners/embedded/model/model_source.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

void print_server(const RunnerInfo& info) {
  if (info.url.empty())
    fmt::print("  engine    {}\n", terminal_escape(info.build));
  else
    fmt::print("  server    {}, build {}\n", terminal_escape(info.url), terminal_escape(info.build));
  fmt::print("  model     {}", terminal_escape(info.model_id));
  if (!info.quant.empty()) fmt::print(", {}", terminal_escape(info.quant));
  if (info.n_params > 0) fmt::print(", {:.2f}B parameters", static_cast<double>(info.n_params) / 1e9);
  fmt::print("\n  slots     {} of {} tokens; {} request{} at a time\n", info.slots, info.slot_context,
             info.concurrency, info.concurrency == 1 ? "" : "s");
  fmt::print("  thinking  {}\n", info.thinking);
  if (!info.budget_probe.empty()) fmt::print("  budget    probe: {}\n", terminal_escape(info.budget_probe));
  for (const auto& note : info.notes) fmt::print("  note      {}\n", terminal_escape(note));
}

void print_estimate(const RunRecord& run, std::size_t remaining, const SamplingConfig& sampling,
                    const RunnerInfo& info) {
  const auto speed = info.tokens_per_s > 0 ? std::optional(info.tokens_per_s) : std::nullopt;
  const auto estimate = estimate_duration(run, static_cast<std::int64_t>(remaining), sampling.max_tokens,
                                          info.concurrency, speed);
  if (!estimate)
    fmt::print("  estimate  none yet: the first answers will tell\n");
  else
    fmt::print("  estimate  {}{} ({})\n", estimate->upper_bound ? "at most " : "",
               duration_words(estimate->seconds), estimate->words);
}

std::string percent(const Accuracy& accuracy) {
  return fmt::format("{:.2f}% [{:.1f}, {:.1f}]", 100 * accuracy.mean, 100 * accuracy.wilson.low,
                     100 * accuracy.wilson.high);
}

void print_result(const std::string& name, const RunRecord& run) {
  const auto s = summarise(run);
  fmt::print(
      "{}: {} of {} done; flexible {} ({} right), strict {} ({} right); unparsed {}, truncated {}, lost {}, "
      "failed {}, transport faults {}\n",
      terminal_escape(name), s.done, s.n, percent(s.flexible), s.flexible.correct, percent(s.strict),
      s.strict.correct, s.unparsed, s.truncated, s.lost, s.failed, s.retries);
  if (s.sampling_mismatches > 0)
    fmt::print(
        "  warning   in {} trials the server says that it sampled otherwise than asked: see `gpqa show`\n",
        s.sampling_mismatches);
}

// Nothing where there are none.
void refuse_other_run(const fs::path& folder, std::span<const ManifestDifference> fields) {
  if (fields.empty()) return;
  std::string lines;
  for (const auto& field : fields)
    lines += fmt::format("\n  {}: {} there, {} now", field.field, field.stored, field.now);
  throw InputError(fmt::format(
      "'{}' holds another run; these fields differ:{}\nRun with the same settings to go on with it, "
      "or give --out another folder",
      folder.string(), lines));
}

// What can be told of who answers without asking or loading: whether it is a server, and the model's size.
void check_who_answered(const fs::path& folder, const RunnerInfo& then, const VariantPlan& variant,
                        std::span<const std::string> accept) {
  std::vector<ManifestDifference> fields;
  const auto compare = [&](const char* name, const auto& stored, const auto& now) {
    if (stored != now && !is_accepted(name, accept))
      fields.push_back({name, fmt::to_string(stored), fmt::to_string(now)});
  };
  compare("runner.kind", then.kind, std::string(variant.embedded() ? "embedded" : "llama-server"));
  if (variant.embedded() && fields.empty()) {
    const ModelSource source(variant.model);
    compare("runner.n_params", then.n_params, static_cast<std::int64_t>(source.elements()));
    compare("runner.model_bytes", then.model_bytes, static_cast<std::int64_t>(source.tensor_bytes()));
  }
  refuse_other_run(folder, fields);
}

}  // namespace

Manifest plan_manifest(const PreparedPlan& prepared, const VariantPlan& variant) {
  const auto& plan = prepared.plan;
  Manifest manifest;
  manifest.gpqa_version = GPQA_VERSION;
  manifest.created = utc_now();
  manifest.dataset_path = fs::absolute(plan.dataset).lexically_normal().string();
  manifest.dataset_sha256 = prepared.dataset.sha256;
  manifest.dataset_rows = prepared.dataset.questions.size();
  manifest.task_name = plan.task_name;
  manifest.trials = plan.trials;
  std::string hashes;
  for (const auto& trial : prepared.trials) hashes += trial.prompt_hash;
  manifest.prompts_sha256 = sha256_hex(hashes);
  manifest.profile = plan.profile;
  manifest.sampling = plan.sampling;
  for (const auto& assumption : plan.assumptions) manifest.assumptions.push_back(assumption.words);
  manifest.variant = variant.name;
  manifest.experts = variant.experts;
  manifest.reference = variant.reference;
  manifest.map_file = variant.map_file.string();
  manifest.map_sha256 = variant.map_sha256;
  manifest.calibrated_on = variant.calibrated_on;
  manifest.on_evaluated_questions = variant.on_evaluated_questions.value_or(false);
  manifest.map_drops = variant.map_drops;
  return manifest;
}

void check_stored_run(const fs::path& folder, const Manifest& manifest, std::span<const std::string> accept) {
  if (!holds_run(folder)) return;
  const auto stored = read_run(folder).manifest;
  auto now = manifest;
  now.runner = stored.runner;
  auto fields = differences(stored, now);
  std::erase_if(fields, [&](const auto& field) { return is_accepted(field.field, accept); });
  refuse_other_run(folder, fields);
}

VariantResult run_variant(const PreparedPlan& prepared, const VariantPlan& variant) {
  const auto& plan = prepared.plan;
  const auto folder = prepared.out / variant.name;
  auto manifest = plan_manifest(prepared, variant);
  fmt::print("\nvariant {} -> {}\n", terminal_escape(variant.name), folder.string());
  std::fflush(stdout);

  // A run that has all its answers needs no server: plans go on where one machine serves one model at a time.
  if (holds_run(folder)) {
    const auto stored = read_run(folder);
    if (pending_trials(prepared.trials, stored).empty()) {
      check_who_answered(folder, stored.manifest.runner, variant, prepared.accept);
      // Who answered then may not be who is served now.
      fmt::print("  complete  nothing to ask; begun {}, answered by\n",
                 terminal_escape(stored.manifest.created));
      print_server(stored.manifest.runner);
      print_result(variant.name, stored);
      return {};
    }
  }

  // A folder that can't be written, or that another run has, is said before a server is asked anything.
  make_private_folder(folder);
  { const auto lock = lock_folder(folder); }

  // From here on a Ctrl-C ends everything in order. Made before there are other threads.
  InterruptGuard interrupt("gpqa: stopping; the answers so far are kept (once more: leave at once)");
  VariantRunner answering(prepared, variant, folder, interrupt.token());
  manifest.runner = answering.runner().info();
  print_server(manifest.runner);

  RunJournal journal(folder, manifest, prepared.accept);
  const auto pending = pending_trials(prepared.trials, journal.run());
  fmt::print("  trials    {} to ask, {} kept\n", pending.size(), prepared.trials.size() - pending.size());
  print_estimate(journal.run(), pending.size(), plan.sampling, manifest.runner);
  std::fflush(stdout);

  VariantResult result;
  {
    ProgressDisplay display(variant.name, static_cast<std::int64_t>(prepared.trials.size()), journal.run());
    evaluate(answering.runner(), pending, plan.sampling, journal, display, interrupt.token());
    result.interrupted = interrupt.interrupted();
  }
  print_result(variant.name, journal.run());
  result.failed = summarise(journal.run()).failed;
  if (result.failed > 0)
    fmt::print("  failed    {} trials have no answer; the same command asks them again\n", result.failed);
  return result;
}

}  // namespace gpqa
