#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/engine_options.h"
#include "harness/exit_code.h"
#include "harness/interrupt.h"
#include "harness/progress_line.h"
#include "harness/speed_report.h"
#include "runners/embedded/backend/cpu/kernels.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

constexpr std::size_t kMostSteps = SpeedTest::kStepTokens - SpeedTest::kWarmUp - 1;

struct Options {
  std::string model;
  SpeedPlan plan;
  bool operations = false;
  bool json = false;
  EngineOptions engine;
};

int run(const Options& options) {
  const InterruptGuard interrupt("gpqa: stopping (once more: leave at once)");
  const auto loaded = load_model(std::make_unique<ModelSource>(options.model), options.engine,
                                 SpeedTest::sizes(options.plan), interrupt.token(), options.operations);
  const auto& cpu = loaded->cpu();
  const auto& kernels = cpu.kernels != nullptr ? *cpu.kernels : *usable_kernels().back();
  SpeedReport report;
  report.model = options.model;
  report.threads = cpu.threads;
  report.kernels = kernels.name;
  report.arithmetic = cpu.arithmetic == Arithmetic::int8 ? "int8" : "float32";
  report.kv = kv_type_name(loaded->model().sizes().kv);
  MemoryBandwidth bandwidth(cpu.threads);
  {
    ProgressLine line("measured", ProgressLine::Unit::tokens);
    const auto all = SpeedTest::tokens(options.plan);
    SpeedTest test(
        *loaded, bandwidth, options.plan, [&](std::size_t done) { line.show(done, all); }, interrupt.token());
    report.prompt = test.read_prompts();
    try {
      for (const auto slots : options.plan.slots) report.decode.push_back(test.decode(slots));
    } catch (const Interrupted&) {  // what came to its end is shown
    }
  }
  if (options.json)
    fmt::print("{}\n", to_json(report).dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace));
  else
    fmt::print("{}", to_text(report));
  return report.decode.size() < options.plan.slots.size() ? kInterrupted : kDone;
}

}  // namespace

Command add_model_bench(CLI::App& model) {
  auto* app = model.add_subcommand(
      "bench", "Measure how fast a model reads prompts and writes answers, against what memory allows.");
  auto options = std::make_shared<Options>();
  auto& plan = options->plan;
  app->add_option("FILE", options->model, "a GGUF file, or a checkpoint's folder")->required();
  app->add_option("-p,--prompt-tokens", plan.prompt, "tokens of each slot's prompt")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 18));
  app->add_option("-n,--steps", plan.steps, "steps that are timed: tokens of each slot's answer")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, kMostSteps));
  app->add_option("--slots", plan.slots, "answers that are written at a time: a row of the table for each")
      ->type_name("N,N,...")
      ->capture_default_str()
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{1}, std::size_t{256}));
  app->add_option("--seed", plan.seed, "of the random tokens; each slot has others")
      ->type_name("N")
      ->capture_default_str()
      ->check(whole_number());
  app->add_flag("--operations", options->operations,
                "also where the time of prompts and steps goes: a table for each row");
  app->add_flag("--json", options->json, "one JSON object: bytes, and seconds");
  add_engine_options(*app, options->engine);
  add_kernels_option(*app, options->engine);
  app->footer(
      "Tokens are random, so that slots choose different experts, as different questions do; nothing is "
      "sampled.\n"
      "The memory's speed is measured around each row: on a shared machine it changes within minutes.\n"
      "Example: gpqa model bench gemma-4-26B-A4B-it-Q6_K.gguf -p 512 -n 64 --slots 1,8,16");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
