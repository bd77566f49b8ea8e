#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "experts/drop_plan.h"
#include "experts/known_maps.h"
#include "experts/map_provenance.h"
#include "harness/commands/command.h"
#include "harness/drop_plan_report.h"
#include "harness/exit_code.h"
#include "harness/file_hash.h"
#include "prompts/input_error.h"
#include "results/inert_text.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::vector<std::string> maps;
  DropPlanOptions plan;
  std::string criterion = "wnorm+tc";
  std::string protect_by;
  std::string merge = "sum";
  std::uint32_t top_k = 0;
  std::string out;
  std::string calibrated_on;
  bool on_evaluated_questions = false;
  bool explain = false;
  std::vector<std::string> against;
  std::uint32_t resamples = 200;
  std::uint64_t seed = 0;
};

MapProvenance provenance_of(const Options& options, std::span<const ContributionMap> maps,
                            std::uint32_t experts) {
  MapProvenance provenance;
  provenance.calibrated_on =
      options.calibrated_on.empty() ? calibration_words(maps, options.plan) : options.calibrated_on;
  provenance.on_evaluated_questions = options.on_evaluated_questions;
  if (provenance.on_evaluated_questions && provenance.calibrated_on.empty())
    provenance.calibrated_on = fmt::format("evaluated questions ({})", maps.front().path.filename().string());
  provenance.criterion = describe(options.plan, experts, maps.size());
  provenance.experts = experts;
  return provenance;
}

std::vector<OtherMap> other_maps(const Options& options, const DropPlan& plan) {
  std::vector<OtherMap> others;
  for (const auto& path : options.against)
    others.push_back({fs::path(path).filename().string(), read_traced_map(path)});
  // A published map of a model of this shape is always of interest.
  for (const auto& known : known_maps()) {
    if (known.experts != plan.experts || known.map.layers() != plan.map.layers()) continue;
    TracedMap map;
    map.map = known.map;
    map.on_evaluated_questions = known.on_evaluated_questions;
    others.push_back({fmt::format("{}, published", known.file), std::move(map)});
  }
  return others;
}

int run(Options options) {
  options.plan.criterion = parse_criterion(options.criterion);
  if (!options.protect_by.empty()) {
    if (options.plan.protect == 0)
      throw InputError("--protect-by says by what, and --protect N how many: give both");
    options.plan.protect_by = parse_criterion(options.protect_by);
  }
  options.plan.merge = parse_merge(options.merge);
  // What is there already is said before the work is done.
  if (!options.out.empty() && (fs::exists(options.out) || fs::exists(provenance_path(options.out))))
    throw InputError(fmt::format("{}: is there already (or {} is), and is not overwritten; name another file",
                                 options.out, provenance_path(options.out).string()));
  std::vector<ContributionMap> maps;
  for (const auto& path : options.maps) maps.push_back(read_contributions(path));
  if (options.top_k > 0)
    for (auto& map : maps) map.used = options.top_k;

  const auto plan = plan_drops(maps, options.plan);
  auto provenance = provenance_of(options, maps, plan.experts);
  std::string said = plan_summary(plan, maps, options.plan, provenance);
  if (options.explain) {
    const auto stability = bootstrap_drops(maps, options.plan, plan.map, options.resamples, options.seed);
    said += plan_explanation(plan, stability, other_maps(options, plan));
  }
  if (options.out.empty()) {
    fmt::print(stderr, "{}", said);
    fmt::print("{}\n", drop_map_json(plan.map));
    return kDone;
  }
  for (const auto& map : maps) {
    MapSource source{.file = map.path.filename().string(), .sha256 = file_hash(map.path), .used = {}};
    for (const auto* part : chosen_parts(map, options.plan.categories)) source.used.push_back(part->name);
    provenance.sources.push_back(std::move(source));
  }
  write_traced_map(options.out, plan.map, provenance);
  fmt::print("{}: {}  provenance    {}\n", terminal_escape(options.out), said,
             terminal_escape(provenance_path(options.out).string()));
  return kDone;
}

std::string criteria_help() {
  std::string text;
  for (const auto& each : criteria())
    text += fmt::format("  {:<9} {}\n            {}\n", each.name, each.formula, each.source);
  return text;
}

}  // namespace

Command add_experts_plan(CLI::App& experts) {
  auto* app =
      experts.add_subcommand("plan", "Say which experts go: a drop map from what a calibration measured.");
  auto options = std::make_shared<Options>();
  app->add_option(
         "MAP", options->maps,
         "contribution maps of one model: expert_neuron_v4.json (sums over categories of prompts) or "
         "per_question_teacher_force.json (each question)")
      ->required();
  app->add_option("--keep", options->plan.keep, "experts of each layer that stay")
      ->required()
      ->check(whole_number())
      ->option_text("N");
  app->add_option(
         "--out", options->out,
         "where the drop map goes, with where it comes from beside it (FILE.provenance.json); without it, "
         "the map goes to standard output")
      ->option_text("FILE");
  app->add_option("--criterion", options->criterion, "what an expert is worth: see below")
      ->option_text("NAME")
      ->capture_default_str();
  app->add_option("--alpha", options->plan.alpha, "weight of wnorm against tc in wnorm+tc")
      ->capture_default_str();
  app->add_option("--protect", options->plan.protect, "the top N of each layer are never dropped")
      ->check(whole_number())
      ->option_text("N");
  app->add_option("--protect-by", options->protect_by,
                  "by this criterion; by --criterion itself (the default, and what the author's script does) "
                  "protection changes nothing")
      ->option_text("NAME");
  app->add_option("--categories", options->plan.categories, "of these categories only, e.g. math,code")
      ->delimiter(',')
      ->allow_extra_args(false);
  app->add_option(
         "--merge", options->merge,
         "several maps: 'sum' adds their sums, so that the map of more tokens says more; 'rank' adds each "
         "expert's rank within its layer, so that every map says as much")
      ->capture_default_str();
  app->add_option("--top-k", options->top_k,
                  "experts that the router chooses for a token, where the map doesn't say")
      ->check(whole_number())
      ->option_text("N");
  app->add_option(
         "--calibrated-on", options->calibrated_on,
         "in words, the questions that the map was made from; it follows the drop map into every variant, "
         "table and report")
      ->option_text("WORDS");
  app->add_flag(
      "--on-evaluated-questions", options->on_evaluated_questions,
      "they are questions that a score will be reported on: whatever the map makes is contaminated");
  app->add_flag(
      "--explain", options->explain,
      "each layer's border; overlap and nesting with --against and published maps; of a per-question map, "
      "how stable the drops are when questions are drawn anew");
  app->add_option("--against", options->against, "drop maps to compare with, under --explain")
      ->option_text("FILE...");
  app->add_option("--resamples", options->resamples, "draws of questions, under --explain")
      ->check(CLI::Range(1u, 100000u))
      ->capture_default_str();
  app->add_option("--seed", options->seed, "of those draws")->check(whole_number())->capture_default_str();
  app->footer(
      "Within each layer the experts are ranked, and the lowest go; of equal scores the lower id goes. Sums "
      "are over "
      "the map's prompts;\n"
      "G are the gate weights of an expert's routed tokens in one prompt, F its outputs for them, g and f "
      "those of "
      "one token. Norms have the\n"
      "residual stream's unit, tc and N count tokens. Criteria:\n" +
      criteria_help() +
      "Where a map has no sums over tokens (the author's haven't), the sum over N tokens is norm * "
      "sqrt(tc/cc): right "
      "if all tokens of an\n"
      "expert had one norm, in cc prompts of equal size.\n"
      "Example: gpqa experts plan expert_neuron_v4.json --keep 98 --out 98e.json --explain");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
