#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/exit_code.h"
#include "harness/hub/fetch_dataset.h"
#include "harness/hub/hub_token.h"
#include "harness/progress_line.h"
#include "results/inert_text.h"

namespace gpqa {
namespace {

struct FetchFlags {
  std::string set = "diamond";
  std::string out;
  std::string token_file;
  std::string revision = "main";
  bool force = false;
};

void print_report(const std::string& path, const DatasetReport& report) {
  fmt::print("{}: {}, {} rows\n", terminal_escape(path),
             report.set.empty() ? "a custom set" : "GPQA " + report.set, report.rows);
  fmt::print("  sha256    {}\n", report.sha256);
  fmt::print("  canary    {}\n", !report.canaries ? "no column \"Canary String\""
                                 : *report.canaries == report.rows
                                     ? "in every row"
                                     : fmt::format("in {} rows of {}", *report.canaries, report.rows));
}

// Rows and columns, no text of the questions: this may be pasted anywhere.
void print_warnings(const DatasetReport& report) {
  for (const auto& warning : report.warnings) fmt::print("  warning   {}\n", warning);
}

int fetch(const FetchFlags& flags) {
  const std::string out = flags.out.empty() ? "gpqa_" + flags.set + ".csv" : flags.out;
  HubOptions options;
  const char* endpoint = std::getenv("HF_ENDPOINT");
  if (endpoint != nullptr && *endpoint != '\0') options.endpoint = endpoint;
  options.token = hub_token(flags.token_file);
  options.endpoint = hub_endpoint(options.endpoint);
  options.file.revision = flags.revision;
  if (const auto warning = token_file_warning(flags.token_file); !warning.empty())
    fmt::print(stderr, "{}\n", terminal_escape(warning));

  ProgressLine progress(out);
  options.on_progress = [&](std::uint64_t bytes, std::optional<std::uint64_t> of) {
    progress.show(bytes, of);
  };
  options.on_trouble = [&](std::string_view words) {
    progress.clear();
    fmt::print(stderr, "{}\n", terminal_escape(words));
  };
  const auto fetched = fetch_dataset(options, flags.set, out, flags.force);
  progress.clear();
  print_report(out, fetched.report);
  if (!fetched.commit.empty()) fmt::print("  commit    {}\n", fetched.commit);
  if (fetched.resumed_at > 0) fmt::print("  resumed   at byte {}\n", fetched.resumed_at);
  if (fetched.was_there) fmt::print("  there     already: nothing was downloaded (--force does)\n");
  print_warnings(fetched.report);
  return kDone;
}

int check(const std::string& file) {
  const auto report = report_on(load_dataset(file));
  print_report(file, report);
  print_warnings(report);
  fmt::print("  usable    by gpqa run{}\n", report.warnings.empty() ? "" : "; see the warnings");
  return kDone;
}

void add_fetch(CLI::App& root, FetchFlags& flags) {
  auto* app = root.add_subcommand("fetch", "Download a set from the Hugging Face hub, and check it.");
  std::vector<std::string> sets;
  for (const auto& set : gpqa_sets()) sets.emplace_back(set.name);
  app->add_option("SET", flags.set, "diamond, main or extended")
      ->capture_default_str()
      ->check(CLI::IsMember(sets));
  app->add_option("--out", flags.out, "where to [gpqa_SET.csv]")->type_name("FILE");
  app->add_option("--token-file", flags.token_file, "holds the hub's token [the variable HF_TOKEN]")
      ->type_name("FILE");
  app->add_option("--revision", flags.revision, "branch, tag or commit of the hub's repository")
      ->capture_default_str()
      ->type_name("REV");
  app->add_flag("--force", flags.force, "replace a file that is there, once the new one is whole");
  app->footer(
      "The set is gated: accept the terms at https://huggingface.co/datasets/Idavidrein/gpqa, and make a "
      "token "
      "with the right to read at https://huggingface.co/settings/tokens.\n"
      "A download that breaks off goes on by the same command. HF_ENDPOINT names another hub.\n"
      "Example: gpqa dataset fetch diamond --token-file ~/.cache/huggingface/token");
}

}  // namespace

Command add_dataset(CLI::App& root) {
  auto* app = root.add_subcommand("dataset", "Download GPQA's files, or say what a file is.");
  auto flags = std::make_shared<FetchFlags>();
  auto file = std::make_shared<std::string>();
  add_fetch(*app, *flags);
  auto* checking =
      app->add_subcommand("check", "Say which set a file is, its hash, and what is odd about it.");
  checking->add_option("FILE", *file, "a CSV with GPQA's columns")->required();
  checking->footer(
      "Rows count from 0, as doc_id does. No text of a question is shown.\n"
      "Example: gpqa dataset check gpqa_diamond.csv");
  app->require_subcommand(1);
  app->footer(
      "gpqa dataset fetch --help and gpqa dataset check --help explain each.\n"
      "Example: gpqa dataset fetch diamond --token-file ~/.cache/huggingface/token");
  return {app, [app, flags, file] { return app->got_subcommand("fetch") ? fetch(*flags) : check(*file); }};
}

}  // namespace gpqa
