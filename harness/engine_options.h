// How a model is loaded into gpqa itself: the flags that all commands with an engine share.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "runners/embedded/engine/loaded_model.h"

namespace gpqa {

struct EngineOptions {
  std::size_t threads = 0;          // 0: as many as there are processors
  std::string arithmetic = "int8";  // or float32
  bool no_check = false;
};

void add_engine_options(CLI::App& app, EngineOptions& options);

// Throws InputError for another word.
Arithmetic parse_arithmetic(const std::string& text);

// Reads the file's numbers once with a progress line on stderr. Throws as LoadedModel.
std::unique_ptr<LoadedModel> load_model(std::unique_ptr<ModelSource> source, const EngineOptions& options,
                                        const Gemma4::Sizes& sizes);

}  // namespace gpqa
