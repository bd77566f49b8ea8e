#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "experts/map_provenance.h"
#include "experts/match_maps.h"
#include "experts/verify_drop.h"
#include "harness/commands/command.h"
#include "harness/exit_code.h"
#include "harness/interrupt.h"
#include "harness/progress_line.h"
#include "harness/verify_report.h"
#include "prompts/input_error.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string original;
  std::string pruned;
  std::vector<std::string> maps;
  std::vector<std::string> contributions;
  std::string save_map;
  std::string format = "text";
  std::size_t list = 20;
  std::size_t threads = 0;  // 0: as many as there are processors, up to 4
};

std::size_t threads_of(const Options& options) {
  // Memory is what two or three of them wait for.
  constexpr std::size_t kEnough = 4;
  return options.threads > 0 ? options.threads
                             : std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kEnough);
}

Verification verify(const Options& options, const VerifyOptions& how) {
  const bool folders = fs::is_directory(options.original);
  if (folders != fs::is_directory(options.pruned))
    throw InputError(fmt::format(
        "{} and {}: one is a checkpoint's folder, the other a file; expected two of a kind: bytes can be "
        "compared only before a conversion",
        options.original, options.pruned));
  return folders ? verify_checkpoint_drop(options.original, options.pruned, how)
                 : verify_gguf_drop(options.original, options.pruned, how);
}

// What the kept experts are known as, as far as they are.
std::vector<MapMatch> matches(const Options& options, const Verification& found) {
  auto out = match_maps(found, options.maps);
  for (auto& match : match_criteria(found, options.contributions)) out.push_back(std::move(match));
  return out;
}

void save_map(const Options& options, const Verification& found, const std::vector<MapMatch>& known) {
  if (found.recovered.keep.empty() || !found.recovered.unmatched.empty())
    throw InputError("--save-map: not every expert was found in the original; no map is written");
  MapProvenance provenance;
  provenance.criterion =
      fmt::format("recovered from the experts of {}", fs::path(options.pruned).filename().string());
  provenance.experts = static_cast<std::uint32_t>(found.experts_before);
  if (!known.empty()) {
    provenance.calibrated_on = known.front().calibrated_on;
    provenance.on_evaluated_questions = known.front().on_evaluated_questions;
  }
  write_traced_map(options.save_map,
                   map_of_kept(found.recovered.keep, static_cast<std::uint32_t>(found.experts_before)),
                   provenance);
}

int run(const Options& options) {
  const InterruptGuard interrupt("gpqa: stopping (once more: leave at once)");
  VerifyOptions how;
  // Of several maps, none is taken for granted.
  if (options.maps.size() == 1) {
    how.map = read_drop_map(options.maps.front());
    how.map_path = options.maps.front();
  }
  how.threads = threads_of(options);
  std::optional<Verification> found;
  try {
    ProgressLine line("compared");
    how.on_progress = [&](std::uint64_t done, std::uint64_t of) {
      line.show(done, of);
      if (interrupt.interrupted()) throw Interrupted();
    };
    found = verify(options, how);
  } catch (const Interrupted&) {
    fmt::print(stderr, "gpqa: interrupted; nothing is known\n");
    return kInterrupted;
  }
  const VerifyReport report{.original = options.original,
                            .pruned = options.pruned,
                            .map = how.map ? options.maps.front() : "",
                            .matches = matches(options, *found),
                            .found = *found};
  if (options.format == "json")
    fmt::print("{}\n", to_json(report).dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
  else
    fmt::print("{}", to_text(report, options.list));
  if (!options.save_map.empty()) save_map(options, *found, report.matches);
  return found->holds() ? kDone : kBadInput;
}

}  // namespace

Command add_experts_verify(CLI::App& experts) {
  auto* app = experts.add_subcommand(
      "verify",
      "Prove that a model is another one with fewer experts, byte for byte; find out which it kept.");
  auto options = std::make_shared<Options>();
  app->add_option("ORIGINAL", options->original,
                  "a GGUF file (of a split one the first), or a checkpoint's folder")
      ->required();
  app->add_option("PRUNED", options->pruned, "what was made from it, in the same format and quantisation")
      ->required();
  app->add_option("--map", options->maps,
                  "the drop map by which it was made; of several, it is said which one [the kept experts are "
                  "recovered]")
      ->type_name("FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option("--contributions", options->contributions,
                  "a contribution map: try by which criterion on it the experts were chosen")
      ->type_name("FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_option("--save-map", options->save_map, "write the recovered drop map to this new file")
      ->type_name("FILE");
  app->add_option("--format", options->format, "text or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));
  app->add_option("--list", options->list, "show the first N damages")
      ->type_name("N")
      ->capture_default_str()
      ->check(whole_number());
  app->add_option("--threads", options->threads, "that compare [one a processor, up to 4]")
      ->type_name("N")
      ->check(CLI::Range(1, 64));
  app->footer(
      "It holds if each kept expert's weights, router row and scale are those of the original's expert in "
      "its "
      "place,\n"
      "every other tensor, key and setting is the original's, and all that counts experts agrees. Each "
      "damage is "
      "named:\n"
      "the tensor, its layer and expert, the first byte that differs. A README isn't looked at.\n"
      "Without --map the kept experts are found by their bytes, and compared with published maps: which map "
      "a\n"
      "published model was made by, and whether it was calibrated on the questions that are scored.\n"
      "Exit codes: 0 it holds, 2 it doesn't (or a file can't be read).\n"
      "Example: gpqa experts verify gemma-4-26B-A4B-it-Q6_K.gguf gemma-4-98e-Q6_K.gguf");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
