#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "experts/contribution_map.h"
#include "harness/commands/command.h"
#include "harness/exit_code.h"
#include "harness/findings_report.h"
#include "harness/progress_line.h"
#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/mapped_file.h"
#include "runners/model_files/output_file.h"
#include "runners/model_files/safetensors_reader.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string input;
  std::string html;
  bool json = false;
  std::string by = "wnorm";
  std::size_t top = 0;
  std::size_t threads = 0;
};

std::vector<LayerSimilarity> compare_layers(std::span<const TensorView> tensors, const Options& options) {
  const auto layers = find_expert_tensors(tensors, options.input);
  std::uint64_t bytes = 0;
  for (const auto& layer : layers)
    for (const auto* tensor : layer.tensors) bytes += tensor->bytes.size();
  const std::size_t threads =
      options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  ProgressLine progress("comparing experts");
  std::uint64_t done = 0;
  std::vector<LayerSimilarity> found;
  for (const auto& layer : layers) {
    // Whatever the model's size, little of it is in memory.
    found.push_back(compare_experts(layer, options.input, threads, [&](std::span<const std::byte> piece) {
      done += piece.size();
      drop_pages(piece);
      progress.show(done, bytes);
    }));
    // And the pages that two pieces share.
    for (const auto* tensor : layer.tensors) drop_pages(tensor->bytes);
  }
  return found;
}

FindingsReport find(const Options& options) {
  const fs::path path = options.input;
  FindingsReport report;
  report.source = path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
  if (path.extension() == ".gguf") {
    report.weights = compare_layers(GgufFile(path).tensors(), options);
  } else if (fs::is_directory(path) || path.extension() == ".safetensors" ||
             path.filename().string().ends_with(".safetensors.index.json")) {
    report.weights = compare_layers(SafetensorsCheckpoint(path).tensors(), options);
  } else {
    const auto map = read_contributions(path);
    report.model = map.model;
    report.map = find_in_map(map, parse_criterion(options.by), options.top);
  }
  return report;
}

int run(const Options& options) {
  // What is there already is said before the work is done.
  if (!options.html.empty() && fs::exists(options.html))
    throw InputError(fmt::format(
        "{}: is there already, and is not overwritten; name another file, or remove it", options.html));
  const auto report = find(options);
  if (!options.html.empty()) {
    const auto html = to_html(report);
    OutputFile file(options.html, html.size());
    file.write(html);
    file.finish();
  }
  if (options.json)
    fmt::print("{}\n", to_json(report).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  else
    fmt::print("{}", to_markdown(report));
  return kDone;
}

}  // namespace

Command add_experts_findings(CLI::App& experts) {
  auto* app = experts.add_subcommand(
      "findings", "Show how a model's experts contribute, or how alike their weights are.");
  auto options = std::make_shared<Options>();
  app->add_option(
         "MAP|MODEL", options->input,
         "a contribution map (expert_neuron_v4.json, per_question_teacher_force.json), or a model: a GGUF "
         "file, a safetensors file, or a checkpoint's folder")
      ->required();
  app->add_option("--html", options->html,
                  "write one page with heat maps and curves, which needs nothing else")
      ->option_text("FILE");
  app->add_flag("--json", options->json, "JSON instead of tables, with whole curves");
  app->add_option("--by", options->by, "the amount that an expert contributes: a criterion of `experts plan`")
      ->option_text("NAME")
      ->capture_default_str();
  app->add_option(
         "--top", options->top,
         "so many experts are compared between categories: 32 by default, of fewer than 128 a quarter")
      ->check(whole_number())
      ->option_text("N");
  app->add_option("--threads", options->threads,
                  "that compare weights; as many as there are processors by default")
      ->check(CLI::Range(1u, 1024u))
      ->option_text("N");
  app->footer(
      "Of a map, layer by layer and then as the map's author added it up: Gini and the fewest experts that "
      "hold 80, 90 "
      "and 95% of a layer's\n"
      "amount, the layers' importance, experts that were never routed to, and how many of the top experts "
      "two "
      "categories share.\n"
      "Of a model: the cosines of all pairs of a layer's experts. Weights are dequantised piece by piece; "
      "memory "
      "doesn't grow with the model.\n"
      "Example: gpqa experts findings expert_neuron_v4.json --html findings.html");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
