#include <memory>
#include <string>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/commands/flex_variant.h"
#include "harness/run_folders.h"
#include "results/inert_text.h"
#include "results/run_files.h"
#include "scoring/score.h"

namespace gpqa {
namespace {

struct Options {
  std::string run;
  FlexVariant variant = FlexVariant::v0_4_13;
  bool dry_run = false;
};

std::string_view verdict(bool correct) {
  return correct ? "right" : "wrong";
}

// True if the filter now says something else; says what.
bool report(const TrialRecord& record, std::string_view filter, const FilterResult& before,
            const FilterResult& now) {
  if (before == now) return false;
  fmt::print("question {}, repeat {}: {} {} ({}) -> {} ({})\n", record.id.doc_id, record.id.repeat, filter,
             terminal_escape(before.extracted), verdict(before.correct), terminal_escape(now.extracted),
             verdict(now.correct));
  return true;
}

int run(const Options& options) {
  auto run = read_run(find_run(options.run));
  std::size_t scored = 0;
  std::size_t changed = 0;
  for (auto& record : run.trials) {
    if (record.outcome == Outcome::failed) continue;  // nothing to score: it is asked again
    const auto transcript = read_transcript(run, record);
    const auto now = score(transcript.content, transcript.choices, record.target, options.variant);
    const bool strict = report(record, "strict", record.score.strict, now.strict);
    const bool flexible = report(record, "flexible", record.score.flexible, now.flexible);
    record.score = now;
    ++scored;
    if (strict || flexible) ++changed;
  }
  const bool other_variant = run.manifest.flex_variant != options.variant;
  const bool news = changed > 0 || other_variant;
  if (news && !options.dry_run) rewrite_trials(run.folder, run.trials, options.variant);
  fmt::print("{} answers scored again, {} changed{}{}\n", scored, changed,
             other_variant
                 ? fmt::format(" (flexible-extract of {}, was {})", lm_eval_release(options.variant),
                               lm_eval_release(run.manifest.flex_variant))
                 : "",
             news ? (options.dry_run ? "; nothing written (--dry-run)" : "; written") : "");
  return 0;
}

}  // namespace

Command add_rescore(CLI::App& root) {
  auto* app = root.add_subcommand("rescore", "Score a run's stored answers again, and say what changed.");
  auto options = std::make_shared<Options>();
  app->add_option("RUN", options->run, "the run's folder")->required();
  add_flex_variant(*app, options->variant);
  app->add_flag("--dry-run", options->dry_run, "only say what would change");
  app->footer("Example: gpqa rescore runs/card/98e --flex-variant 0.4.12 --dry-run");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
