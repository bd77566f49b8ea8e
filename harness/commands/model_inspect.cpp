#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/exit_code.h"
#include "harness/file_hash.h"
#include "harness/model_report.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/safetensors_reader.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string model;
  std::string format = "text";
  bool tensors = false;
  bool no_hash = false;
};

template <class Model>
int inspect(const Model& model, const Options& options) {
  ModelReport report{.summary = summarise(model), .sha256 = {}, .tensors = {}};
  if (options.tensors) report.tensors = model.tensors();
  if (!options.no_hash)
    for (const auto& file : report.summary.files) report.sha256.push_back(file_hash(file));
  fmt::print("{}", options.format == "json" ? to_json(report).dump(2) + "\n" : to_text(report));
  return kDone;
}

int run(const Options& options) {
  const fs::path path = options.model;
  if (fs::is_directory(path) || path.extension() == ".safetensors" || path.extension() == ".json")
    return inspect(SafetensorsCheckpoint(path), options);
  return inspect(GgufFile(path), options);
}

}  // namespace

Command add_model_inspect(CLI::App& model) {
  auto* app =
      model.add_subcommand("inspect", "Say what a model's file holds: its shape, its types, its defaults.");
  auto options = std::make_shared<Options>();
  app->add_option("FILE", options->model,
                  "a GGUF file (of a split one the first), a safetensors file, or a checkpoint's folder")
      ->required();
  app->add_option("--format", options->format, "text or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"text", "json"}));
  app->add_flag("--tensors", options->tensors,
                "list every tensor: name, type, bytes, shape (row length first)");
  app->add_flag("--no-hash", options->no_hash, "leave out the files' SHA-256, for which all of them is read");
  app->footer(
      "The file is checked as it is read: every count, offset, type and alignment; a damaged one is an "
      "error.\n"
      "`sampling` and `never sampled` are what the file has its own way in, whoever runs it.\n"
      "Example: gpqa model inspect gemma-4-26B-A4B-it-Q6_K.gguf");
  return {app, [options] { return run(*options); }};
}

}  // namespace gpqa
