#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "experts/checkpoint_drop.h"
#include "experts/gguf_drop.h"
#include "experts/imatrix_drop.h"
#include "harness/byte_size.h"
#include "harness/commands/command.h"
#include "harness/exit_code.h"
#include "harness/interrupt.h"
#include "harness/progress_line.h"
#include "prompts/input_error.h"
#include "results/inert_text.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string model;
  std::string out;
  std::string map;
  std::string shard_size = "5GiB";
  std::uint32_t experts = 0;  // 0: not said
};

DropReport drop(const Options& options, const TracedMap& map, const OnProgress& on_progress) {
  const fs::path model = options.model;
  if (fs::is_directory(model))
    return drop_from_checkpoint(model, map, options.map, options.out, parse_byte_size(options.shard_size),
                                on_progress);
  if (model.extension() == ".safetensors" || model.extension() == ".json")
    throw InputError(fmt::format("{}: a checkpoint is dropped as a whole; name its folder", options.model));
  if (is_imatrix(model))
    return drop_from_imatrix(model, map, options.map,
                             options.experts > 0 ? std::optional(options.experts) : std::nullopt,
                             options.out);
  return drop_from_gguf(model, map, options.map, options.out, on_progress);
}

void print_report(const Options& options, const TracedMap& map, const DropReport& report) {
  const auto line = [](const char* name, const std::string& text) {
    fmt::print("  {:<12}{}\n", name, terminal_escape(text));
  };
  fmt::print("{}\n", terminal_escape(options.out));
  line("experts", fmt::format("{} of {} in each of {} layers", report.experts_after, report.experts_before,
                              report.layers));
  line("tensors",
       fmt::format("{}, before {}", byte_words(report.bytes_after), byte_words(report.bytes_before)));
  line("map", fmt::format("{}{}", options.map, map.known_as.empty() ? "" : ", which is " + map.known_as));
  line("calibrated", map.calibrated_on.empty() ? "on what, nobody said" : "on " + map.calibrated_on);
  if (map.on_evaluated_questions)
    line("CONTAMINATED", "these experts were chosen by the questions that are scored; the file says so too");
  for (const auto& name : report.left_out) line("not copied", name.string());
  if (!fs::is_directory(options.model) && is_imatrix(options.model)) return;
  line("to prove it",
       fmt::format("gpqa experts verify {} {} --map {}", options.model, options.out, options.map));
}

int run(const Options& options) {
  const InterruptGuard interrupt("gpqa: stopping (once more: leave at once)");
  const auto map = read_traced_map(options.map);
  std::optional<DropReport> report;
  try {
    ProgressLine line(fs::path(options.out).filename().string());
    report = drop(options, map, [&](std::uint64_t done, std::uint64_t of) {
      line.show(done, of);
      if (interrupt.interrupted()) throw Interrupted();
    });
  } catch (const Interrupted&) {
    fmt::print(stderr, "gpqa: interrupted; nothing is left of {}\n", terminal_escape(options.out));
    return kInterrupted;
  }
  print_report(options, map, *report);
  return kDone;
}

}  // namespace

Command add_experts_drop(CLI::App& experts) {
  auto* app = experts.add_subcommand(
      "drop", "Make a model with fewer experts: GGUF from GGUF, checkpoint from checkpoint.");
  auto options = std::make_shared<Options>();
  app->add_option("MODEL", options->model,
                  "a GGUF file (of a split one the first) of any quantisation, a checkpoint's folder, or an "
                  "imatrix")
      ->required();
  app->add_option("OUT", options->out, "the new file or folder; one that is there is never overwritten")
      ->required();
  app->add_option("--map", options->map,
                  "which experts go: {\"<layer>\": [ids]}, as `gpqa experts plan` writes it")
      ->required()
      ->type_name("FILE");
  app->add_option("--shard-size", options->shard_size,
                  "of a checkpoint's files, at most: bytes, or with MB, GB, MiB, GiB")
      ->type_name("SIZE")
      ->capture_default_str();
  app->add_option("--experts", options->experts, "of an imatrix in which nothing tells how many there are")
      ->type_name("N")
      ->check(whole_number());
  app->footer(
      "Nothing is computed: the kept experts' bytes are copied, in the order of their ids, with the router's "
      "rows\n"
      "and scales; the number of experts changes, nothing else does. What was dropped, by which map and on "
      "what "
      "it\n"
      "was calibrated stands in the result: expert_drop_metadata.json, or the keys gpqa.expert_drop.*.\n"
      "A checkpoint takes tokenizer, template and other small files along, but no README.\n"
      "An imatrix of the model is cut by the same map, for llama-quantize.\n"
      "OUT has its name once it is whole and on the disk; what a killed try left (OUT.part) is used up by "
      "the "
      "next.\n"
      "Example: gpqa experts drop gemma-4-26B-A4B-it-Q6_K.gguf --map 98e.json gemma-4-98e-Q6_K.gguf");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
