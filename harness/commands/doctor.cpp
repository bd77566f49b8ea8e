#include "results/doctor.h"

#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/exit_code.h"
#include "harness/run_folders.h"
#include "results/inert_text.h"

namespace gpqa {
namespace {

struct Options {
  std::string run;
  std::string salvage;
};

const char* word(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::note:
      return "note";
    case Finding::Kind::mended:
      return "torn";
    case Finding::Kind::damage:
      return "DAMAGE";
  }
  return "";
}

int run(const Options& options) {
  const auto diagnosis = examine_run(options.run);
  for (const auto& finding : diagnosis.findings)
    fmt::print("{:<6}  {}: {}\n", word(finding.kind), terminal_escape(finding.where),
               terminal_escape(finding.what));
  const auto kept = diagnosis.sound.size();
  if (diagnosis.manifest)
    fmt::print(
        "{} of {} trials are sound{}; {}\n", kept, diagnosis.planned,
        diagnosis.failed > 0 ? fmt::format(", {} of them failed and are asked again", diagnosis.failed) : "",
        diagnosis.damaged()        ? "the run is damaged"
        : kept < diagnosis.planned ? "the same `gpqa run` goes on with the rest"
                                   : "the run is whole");
  if (!options.salvage.empty()) {
    salvage_run(options.run, diagnosis, options.salvage);
    fmt::print("written to {}: {} trials; to go on with them, give `gpqa run` the folder above it as --out\n",
               terminal_escape(options.salvage), kept);
    return kDone;
  }
  if (!diagnosis.damaged()) return kDone;
  if (diagnosis.manifest)
    fmt::print("what is sound can be kept: gpqa doctor {} --salvage {}\n",
               terminal_escape(shell_quote(options.run)),
               terminal_escape(shell_quote("NEW_FOLDER/" + diagnosis.manifest->variant)));
  return kBadInput;
}

}  // namespace

Command add_doctor(CLI::App& root) {
  auto* app = root.add_subcommand(
      "doctor",
      "Check a run's folder: what is wrong with it, and what of it can be kept. Changes nothing in it.");
  auto options = std::make_shared<Options>();
  app->add_option("RUN", options->run, "the run's folder")->required();
  app->add_option("--salvage", options->salvage,
                  "write the sound trials into this new folder, to go on from there")
      ->type_name("DIR");
  app->footer(
      "Exit codes: 0 sound (or torn by a crash, which the next `gpqa run` mends), 2 damaged.\n"
      "Example: gpqa doctor runs/card/98e");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
