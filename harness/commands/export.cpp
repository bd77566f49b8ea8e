#include <memory>
#include <string>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/run_folders.h"
#include "prompts/dataset.h"
#include "results/lm_eval_files.h"
#include "results/run_files.h"

namespace gpqa {
namespace {

struct Options {
  std::string run;
  std::string format = "lm-eval";
  std::string dataset;
  std::string out;
  std::uint32_t repeat = 0;
};

int run(const Options& options) {
  const auto run = read_run(find_run(options.run));
  const auto dataset = load_dataset(options.dataset.empty() ? run.manifest.dataset_path : options.dataset);
  const auto out = options.out.empty() ? run.folder / "lm_eval" : std::filesystem::path(options.out);
  const auto files = export_lm_eval(run, dataset, out, options.repeat);
  fmt::print("{}\n{}\n", files.results.string(), files.samples.string());
  return 0;
}

}  // namespace

Command add_export(CLI::App& root) {
  auto* app =
      root.add_subcommand("export", "Write a finished run as lm-eval's results_*.json and samples_*.jsonl.");
  auto options = std::make_shared<Options>();
  app->add_option("RUN", options->run, "the run's folder")->required();
  app->add_option("--format", options->format, "lm-eval is the one there is")
      ->capture_default_str()
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"lm-eval"}));
  app->add_option("--dataset", options->dataset, "the CSV, if it is no longer where the run read it")
      ->type_name("FILE");
  app->add_option("--out", options->out, "the folder of the files [RUN/lm_eval]")->type_name("DIR");
  app->add_option("--repeat", options->repeat, "which repeat: lm-eval knows one")
      ->capture_default_str()
      ->type_name("N")
      ->check(whole_number());
  app->footer(
      "The files hold GPQA text: don't publish them.\nExample: gpqa export runs/card/98e --format lm-eval");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
