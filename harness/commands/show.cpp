#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/run_folders.h"
#include "prompts/input_error.h"
#include "results/inert_text.h"
#include "results/run_files.h"
#include "results/summary.h"
#include "scoring/extract_answer.h"

namespace gpqa {
namespace {

struct Options {
  std::string run;
  std::optional<std::uint32_t> doc_id;
  std::uint32_t repeat = 0;
  bool wrong = false;
};

constexpr std::size_t kExtractedWidth = 16;

std::string_view verdict(bool correct) {
  return correct ? "right" : "wrong";
}

// The stored prompt says what the letters were; which rule found the answer is worked out again.
std::string_view why(FlexRule rule) {
  switch (rule) {
    case FlexRule::letter_in_parentheses:
      return "the last capital letter in parentheses";
    case FlexRule::choice_text:
      return "no letter in parentheses: the last text of a choice that occurs";
    case FlexRule::letter_after_colon:
      return "neither letter nor choice text: the last A-D after a colon";
    case FlexRule::none:
      return "nothing that the filter looks for";
  }
  return "";
}

std::string tokens(const std::optional<std::int64_t>& count) {
  return count ? std::to_string(*count) : "-";
}

std::string shortened(std::string_view extracted) {
  std::string line = terminal_escape(extracted);
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::replace(line.begin(), line.end(), '\t', ' ');
  if (line.size() <= kExtractedWidth) return line;
  std::size_t end = kExtractedWidth - 3;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return line.substr(0, end) + "...";
}

int list(const RunRecord& run, bool only_wrong) {
  const bool repeats = run.manifest.trials.repeats > 1;
  fmt::print("{:>6} {}{:<16}  {:<4}  {:<16}  {:<5}  {:<16}  {:<5}  {:>9}  {:>7}\n", "doc",
             repeats ? "repeat " : "", "outcome", "gold", "flexible", "", "strict", "", "reasoning",
             "answer");
  for (const auto& record : run.trials) {
    if (only_wrong && record.score.flexible.correct) continue;
    fmt::print("{:>6} {}{:<16}  {:<4}  {:<16}  {:<5}  {:<16}  {:<5}  {:>9}  {:>7}\n", record.id.doc_id,
               repeats ? fmt::format("{:>6} ", record.id.repeat) : "", to_string(record.outcome),
               terminal_escape(record.target), shortened(record.score.flexible.extracted),
               verdict(record.score.flexible.correct), shortened(record.score.strict.extracted),
               verdict(record.score.strict.correct), tokens(record.tokens.reasoning),
               tokens(record.tokens.content));
  }
  return 0;
}

void section(std::string_view title, std::string_view text) {
  fmt::print("\n--- {} ---\n{}\n", title, text.empty() ? "(empty)" : terminal_escape(text));
}

void print_trial(const RunRecord& run, const TrialRecord& record) {
  const auto transcript = read_transcript(run, record);
  fmt::print("question {} ({}), repeat {}, seed {}\n", record.id.doc_id, terminal_escape(record.record_id),
             record.id.repeat, record.seed);
  section("prompt", transcript.prompt);
  section("reasoning", transcript.reasoning);
  section("answer", transcript.content);

  const auto& flexible = record.score.flexible;
  const auto& strict = record.score.strict;
  fmt::print("\n--- how it was scored ---\n");
  fmt::print("gold      {}\n", terminal_escape(record.target));
  const auto found = extract_flexible(transcript.content, transcript.choices, run.manifest.flex_variant);
  fmt::print("flexible  {} ({}): {}\n", terminal_escape(flexible.extracted), verdict(flexible.correct),
             record.outcome == Outcome::failed ? "the call failed, nothing was scored"
             : found.answer == flexible.extracted
                 ? why(found.rule)
                 : "stored; the filter finds something else now: gpqa rescore");
  fmt::print("strict    {} ({}): {}\n", terminal_escape(strict.extracted), verdict(strict.correct),
             strict.extracted == kInvalid
                 ? "no \"The answer is \" with something after it"
                 : "what follows the first \"The answer is \", less its last character");

  fmt::print("\n--- how it ended ---\n");
  fmt::print("outcome   {}{}\n", to_string(record.outcome),
             record.finish_reason.empty()
                 ? ""
                 : fmt::format(" (the server: {})", terminal_escape(record.finish_reason)));
  if (!record.error.empty()) fmt::print("error     {}\n", terminal_escape(record.error));
  fmt::print("tokens    {} prompt, {} reasoning, {} answer, {} in all\n", record.tokens.prompt,
             tokens(record.tokens.reasoning), tokens(record.tokens.content), record.tokens.completion);
  fmt::print("time      {:.1f} s, {} transport faults\n", record.timing.total_ms / 1000, record.retries);
  if (!record.server_id.empty()) fmt::print("server    {}\n", terminal_escape(record.server_id));
  if (!record.sampling_mismatch.empty())
    fmt::print("MISMATCH  the server sampled otherwise than asked: {}\n",
               terminal_escape(record.sampling_mismatch));
  fmt::print("sampled   {}\n", transcript.sampled_with.empty() ? "(the server doesn't say)"
                                                               : terminal_escape(transcript.sampled_with));
}

int run(const Options& options) {
  const auto run = read_run(find_run(options.run));
  if (!options.doc_id) return list(run, options.wrong);
  const TrialId id{*options.doc_id, options.repeat};
  for (const auto& record : run.trials) {
    if (record.id != id) continue;
    print_trial(run, record);
    return 0;
  }
  throw InputError(fmt::format("'{}' has no record of question {}, repeat {} ({} of {} trials are recorded)",
                               run.folder.string(), id.doc_id, id.repeat, run.trials.size(),
                               planned_questions(run.manifest) * run.manifest.trials.repeats));
}

}  // namespace

Command add_show(CLI::App& root) {
  auto* app = root.add_subcommand(
      "show", "List a run's trials, or show one: the transcript, what each filter found and why.");
  auto options = std::make_shared<Options>();
  app->add_option("RUN", options->run, "the run's folder")->required();
  app->add_option("DOC_ID", options->doc_id, "a question's number, from 0 [list all]")->check(whole_number());
  app->add_option("--repeat", options->repeat, "which repeat of it")
      ->capture_default_str()
      ->type_name("N")
      ->check(whole_number());
  app->add_flag("--wrong", options->wrong, "in the list, only what the flexible filter calls wrong");
  app->footer("Example: gpqa show runs/card/98e 17");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
