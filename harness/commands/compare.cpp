#include "results/compare.h"

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/commands/command.h"
#include "harness/run_folders.h"
#include "prompts/input_error.h"
#include "results/comparison_files.h"
#include "results/markdown.h"
#include "results/run_files.h"

namespace gpqa {
namespace {

struct Options {
  std::vector<std::string> runs;
  CompareOptions compare;
  std::string format = "markdown";
  std::string out;
  bool published = false;
};

Comparison compared(const Options& options) {
  if (options.published) {
    if (!options.runs.empty())
      throw InputError("--published shows the card's own rows: give either it or runs");
    return published_comparison();
  }
  if (options.runs.empty()) throw InputError("which runs? Name their folders, e.g. gpqa compare runs/card");
  std::vector<RunRecord> runs;
  for (const auto& folder : find_runs(options.runs)) runs.push_back(read_run(folder));
  return compare_runs(runs, options.compare);
}

std::string rendered(const Comparison& comparison, const std::string& format) {
  if (format == "csv") return to_csv(comparison);
  if (format == "json")
    return to_json(comparison).dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  return to_markdown(comparison);
}

int run(const Options& options) {
  auto text = rendered(compared(options), options.format);
  if (text.empty() || text.back() != '\n') text += '\n';
  fmt::print("{}", text);
  if (options.out.empty()) return 0;
  std::ofstream file(options.out, std::ios::binary);
  file << text;
  file.close();
  if (!file) throw InputError(fmt::format("can't write '{}'", options.out));
  fmt::print(stderr, "written to {}\n", options.out);
  return 0;
}

}  // namespace

Command add_compare(CLI::App& root) {
  auto* app = root.add_subcommand(
      "compare", "Compare variants with a reference, question by question: the card's table.");
  auto options = std::make_shared<Options>();
  app->add_option("RUN", options->runs, "folders of runs, or of plans (then every variant in them)");
  app->add_option("--reference", options->compare.reference,
                  "the variant to compare with [the one its plan calls the reference, else the first]")
      ->type_name("NAME");
  app->add_option("--format", options->format, "markdown, csv or json")
      ->capture_default_str()
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"markdown", "csv", "json"}));
  app->add_option("--out", options->out, "write the table to this file, too")->type_name("FILE");
  app->add_flag(
      "--published", options->published,
      "the four rows of the published card (149, 149, 142, 113 of 198), and what counts alone allow to say");
  app->add_option("--bootstrap-seed", options->compare.bootstrap_seed, "of the bootstrap interval")
      ->capture_default_str()
      ->type_name("N")
      ->check(whole_number());
  app->add_option("--resamples", options->compare.resamples, "of the bootstrap interval")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(100, 10'000'000));
  app->footer(
      "Runs are compared only if they asked the same prompts; other differences stand in front of the "
      "table.\n"
      "Example: gpqa compare runs/128e runs/98e --reference 128e");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
