// How a model is loaded into gpqa itself: for the commands that ask it, and for runs without a server.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/plan.h"
#include "runners/embedded/engine/loaded_model.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace gpqa {

// --threads, --arithmetic, --kv, --keep-packed, --no-check
std::vector<CLI::Option*> add_engine_options(CLI::App& app, EngineOptions& options,
                                             const std::string& group = "The engine");

// --kernels: which of the sets that this processor runs.
void add_kernels_option(CLI::App& app, EngineOptions& options);

// Throws InputError for another word.
Arithmetic parse_arithmetic(const std::string& text);
KvType parse_kv_type(const std::string& text);

// Reads the file's numbers once with a progress line on stderr. Throws as LoadedModel.
std::unique_ptr<LoadedModel> load_model(std::unique_ptr<ModelSource> source, const EngineOptions& options,
                                        Gemma4::Sizes sizes, const std::stop_token& stop = {},
                                        bool time_operations = false);

}  // namespace gpqa
