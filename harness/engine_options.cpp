#include "harness/engine_options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/progress_line.h"
#include "prompts/input_error.h"
#include "runners/embedded/backend/cpu/kernels.h"

namespace gpqa {
namespace {

std::vector<std::string_view> kernel_names() {
  std::vector<std::string_view> names;
  for (const auto* kernels : usable_kernels()) names.push_back(kernels->name);
  return names;
}

// Null for "".
const Kernels* find_kernels(const std::string& name) {
  if (name.empty()) return nullptr;
  for (const auto* kernels : usable_kernels())
    if (kernels->name == name) return kernels;
  throw InputError(
      fmt::format("kernels: this processor runs {}, not '{}'", fmt::join(kernel_names(), ", "), name));
}

}  // namespace

std::vector<CLI::Option*> add_engine_options(CLI::App& app, EngineOptions& options,
                                             const std::string& group) {
  std::vector<CLI::Option*> all;
  all.push_back(
      app.add_option("--threads", options.threads, "threads that compute [as many as there are processors]"));
  all.back()->type_name("N")->check(CLI::Range(1, 1024));
  all.push_back(app.add_option_function<std::string>(
      "--arithmetic", [&options](const std::string& text) { options.arithmetic = parse_arithmetic(text); },
      "int8: inputs of quantised weights are rounded to 8 bits, but for the attention's; float32: "
      "nothing is, several times as slow [int8]"));
  all.back()->type_name("int8|float32")->check(CLI::IsMember({"int8", "float32"}));
  all.push_back(app.add_option_function<std::string>(
      "--kv", [&options](const std::string& text) { options.kv = parse_kv_type(text); },
      "what keys and values are kept as: f32; f16, half of the memory; q8_0, a quarter and slower to read "
      "[f16, or f32 with float32 arithmetic]"));
  all.back()->type_name("f32|f16|q8_0")->check(CLI::IsMember({"f32", "f16", "q8_0"}));
  all.push_back(
      app.add_flag("--keep-packed", options.keep_packed,
                   "write the weights, in the order in which they are used, to MODEL.packed (as large as "
                   "the model); later starts map it and begin at once"));
  all.push_back(app.add_flag("--no-check", options.no_check,
                             "don't read the whole file for NaN and infinity at first"));
  for (auto* each : all) each->group(group);
  return all;
}

void add_kernels_option(CLI::App& app, EngineOptions& options) {
  app.add_option("--kernels", options.kernels,
                 fmt::format("the instructions that are used; this processor runs {} [{}]",
                             fmt::join(kernel_names(), ", "), kernel_names().back()))
      ->type_name("NAME")
      ->group("The engine");
}

Arithmetic parse_arithmetic(const std::string& text) {
  if (text == "int8") return Arithmetic::int8;
  if (text == "float32") return Arithmetic::float32;
  throw InputError(fmt::format("arithmetic: expected int8 or float32, found '{}'", text));
}

KvType parse_kv_type(const std::string& text) {
  for (const auto type : {KvType::f32, KvType::f16, KvType::q8_0})
    if (text == kv_type_name(type)) return type;
  throw InputError(fmt::format("kv: expected f32, f16 or q8_0, found '{}'", text));
}

std::unique_ptr<LoadedModel> load_model(std::unique_ptr<ModelSource> source, const EngineOptions& options,
                                        Gemma4::Sizes sizes, const std::stop_token& stop,
                                        bool time_operations) {
  sizes.kv = options.kv.value_or(options.arithmetic == Arithmetic::int8 ? KvType::f16 : KvType::f32);
  ProgressLine line(source->path().filename().string());
  return std::make_unique<LoadedModel>(
      std::move(source),
      LoadOptions{.cpu = {.threads = options.threads,
                          .arithmetic = options.arithmetic,
                          .kernels = find_kernels(options.kernels)},
                  .sizes = sizes,
                  .check_numbers = !options.no_check,
                  .keep_packed = options.keep_packed,
                  .time_operations = time_operations},
      [&](std::uint64_t done, std::uint64_t all) { line.show(done, all); }, stop);
}

}  // namespace gpqa
