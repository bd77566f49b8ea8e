#include "harness/run_variant.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/evaluate.h"
#include "harness/interrupt.h"
#include "harness/progress_display.h"
#include "harness/run_folders.h"
#include "harness/speed_probe.h"
#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "results/inert_text.h"
#include "results/run_files.h"
#include "results/run_journal.h"
#include "results/summary.h"
#include "runners/remote/http_client.h"
#include "runners/remote/llama_server_runner.h"
#include "runners/remote/server_audit.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

// validate() has seen that it is set.
std::string api_key(const ServerPlan& server) {
  const char* key = server.api_key_env.empty() ? nullptr : std::getenv(server.api_key_env.c_str());
  return key == nullptr ? "" : key;
}

std::string longest_prompt(std::span<const Trial> trials) {
  const auto longer = [](const Trial& a, const Trial& b) { return a.prompt.size() < b.prompt.size(); };
  return std::max_element(trials.begin(), trials.end(), longer)->prompt;
}

RunnerInfo audit(const PreparedPlan& prepared, const VariantPlan& variant, const HttpOptions& http) {
  AuditPlan plan;
  plan.sampling = prepared.plan.sampling;
  plan.longest_prompt = longest_prompt(prepared.trials);
  plan.wanted_concurrency = variant.server.concurrency;
  plan.declared_pool = variant.server.context_pool;
  if (!variant.model.empty()) plan.model_file = variant.model;
  plan.force_template = variant.server.force_template;
  HttpClient client(http);
  return audit_server(client, plan,
                      [](std::string_view words) { fmt::print(stderr, "{}\n", terminal_escape(words)); });
}

void print_server(const RunnerInfo& info) {
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
                    const RunnerInfo& info, const LlamaServerOptions& options) {
  const bool has_answers = !run.trials.empty();
  const auto speed = has_answers ? std::nullopt : probe_speed(options, info);
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
  manifest.calibrated_on = variant.calibrated_on;
  return manifest;
}

void check_stored_run(const fs::path& folder, const Manifest& manifest, std::span<const std::string> accept) {
  if (!holds_run(folder)) return;
  const auto stored = read_run(folder).manifest;
  auto now = manifest;
  now.runner = stored.runner;
  auto fields = differences(stored, now);
  std::erase_if(fields, [&](const auto& field) { return is_accepted(field.field, accept); });
  if (fields.empty()) return;
  std::string lines;
  for (const auto& field : fields)
    lines += fmt::format("\n  {}: {} there, {} now", field.field, field.stored, field.now);
  throw InputError(fmt::format(
      "'{}' holds another run; these fields differ:{}\nRun with the same settings to go on with it, "
      "or give --out another folder",
      folder.string(), lines));
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
      // Who answered then may not be who is served now.
      fmt::print("  complete  nothing to ask; begun {}, answered by\n",
                 terminal_escape(stored.manifest.created));
      print_server(stored.manifest.runner);
      print_result(variant.name, stored);
      return {};
    }
  }

  LlamaServerOptions options;
  options.http.url = variant.server.url;
  options.http.api_key = api_key(variant.server);
  options.sampling = plan.sampling;
  manifest.runner = audit(prepared, variant, options.http);
  print_server(manifest.runner);

  RunJournal journal(folder, manifest, prepared.accept);
  const auto pending = pending_trials(prepared.trials, journal.run());
  fmt::print("  trials    {} to ask, {} kept\n", pending.size(), prepared.trials.size() - pending.size());
  print_estimate(journal.run(), pending.size(), plan.sampling, manifest.runner, options);
  std::fflush(stdout);

  VariantResult result;
  {
    InterruptGuard interrupt("gpqa: stopping; the answers so far are kept (once more: leave at once)");
    LlamaServerRunner runner(options, manifest.runner);
    ProgressDisplay display(variant.name, static_cast<std::int64_t>(prepared.trials.size()), journal.run());
    evaluate(runner, pending, plan.sampling, journal, display, interrupt.token());
    result.interrupted = interrupt.interrupted();
  }
  print_result(variant.name, journal.run());
  result.failed = summarise(journal.run()).failed;
  if (result.failed > 0)
    fmt::print("  failed    {} trials have no answer; the same command asks them again\n", result.failed);
  return result;
}

}  // namespace gpqa
