#include "harness/engine_options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "harness/progress_line.h"
#include "prompts/input_error.h"

namespace gpqa {

void add_engine_options(CLI::App& app, EngineOptions& options) {
  constexpr auto kGroup = "The engine";
  app.add_option("--threads", options.threads, "threads that compute [as many as there are processors]")
      ->type_name("N")
      ->check(CLI::Range(1, 1024))
      ->group(kGroup);
  app.add_option("--arithmetic", options.arithmetic,
                 "int8: inputs of quantised weights are rounded to 8 bits, but for the attention's; float32: "
                 "nothing is, several times as slow")
      ->type_name("int8|float32")
      ->check(CLI::IsMember({"int8", "float32"}))
      ->capture_default_str()
      ->group(kGroup);
  app.add_flag("--no-check", options.no_check, "don't read the whole file for NaN and infinity at first")
      ->group(kGroup);
}

Arithmetic parse_arithmetic(const std::string& text) {
  if (text == "int8") return Arithmetic::int8;
  if (text == "float32") return Arithmetic::float32;
  throw InputError(fmt::format("arithmetic: expected int8 or float32, found '{}'", text));
}

std::unique_ptr<LoadedModel> load_model(std::unique_ptr<ModelSource> source, const EngineOptions& options,
                                        const Gemma4::Sizes& sizes, const std::stop_token& stop) {
  ProgressLine line(source->path().filename().string());
  return std::make_unique<LoadedModel>(
      std::move(source),
      LoadOptions{.cpu = {.threads = options.threads, .arithmetic = parse_arithmetic(options.arithmetic)},
                  .sizes = sizes,
                  .check_numbers = !options.no_check},
      [&](std::uint64_t done, std::uint64_t all) { line.show(done, all); }, stop);
}

}  // namespace gpqa
