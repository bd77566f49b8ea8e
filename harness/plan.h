// What is to be run: questions, sampling, and the variants that answer. From a TOML file, or from flags
// (plan_flags.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/profiles.h"
#include "harness/sampling_fields.h"
#include "prompts/trial.h"
#include "runners/embedded/backend/cpu/cpu_backend.h"
#include "runners/sampling_config.h"

namespace gpqa {

inline constexpr std::uint32_t kMostRepeats = 10000;

struct ServerPlan {
  std::vector<std::string> urls;  // of servers that run; or
  std::string command;            // llama-server, which is then started with the variant's model,
  std::vector<std::string> flags;
  int port = 0;                  // 0: a free one
  std::string api_key_env;       // the NAME of a variable: a key itself is never written down
  std::int64_t concurrency = 0;  // 0: as many as slots and context hold
  std::optional<std::int64_t> context_pool;
  bool force_template = false;  // go on with a chat template we don't know

  bool managed() const { return !command.empty(); }
  bool named() const { return managed() || !urls.empty(); }
};

// How gpqa's own engine runs, where no server answers.
struct EngineOptions {
  std::size_t slots = 0;    // answers at a time; 0: four, or fewer where the plan wants fewer
  std::size_t context = 0;  // tokens a slot holds; 0: what the longest prompt and answer need
  std::size_t threads = 0;  // 0: as many as there are processors
  Arithmetic arithmetic = Arithmetic::int8;
  std::optional<KvType> kv;  // what keys and values are kept as; nothing: f16, or f32 for float32 arithmetic
  std::string kernels;       // a set's name; "": the best that this processor runs
  bool keep_packed = false;  // write MODEL.packed, which later starts map
  bool no_check = false;     // don't read the whole file for NaN at first
  bool force_template = false;  // Gemma 4's chat format, where the file's own isn't known

  bool operator==(const EngineOptions&) const = default;
};

struct VariantPlan {
  std::string name;  // also of its folder
  std::optional<std::int64_t> experts;
  bool reference = false;
  std::filesystem::path map_file;  // "" if none
  std::string calibrated_on;
  std::optional<bool> on_evaluated_questions;  // as the plan says; then, as the map says too
  std::string map_sha256;                      // these two by the map's file, once it was read
  std::vector<std::string> map_drops;
  std::filesystem::path model;  // that the server should serve, or that answers itself; "" if not said
  ServerPlan server;
  EngineOptions engine;
  bool embedded() const { return !server.named() && !model.empty(); }
};

struct Plan {
  std::string name;  // of the folder under runs/
  std::filesystem::path dataset;
  std::string task_name = "gpqa_diamond_cot_zeroshot";
  TrialOptions trials;
  std::string profile;
  std::string profile_summary;
  SamplingConfig sampling;              // the profile's, then what overrides it
  std::vector<Assumption> assumptions;  // of the profile, less the overridden fields
  std::vector<std::string> overrides;   // in words: "min_p=0"
  std::vector<VariantPlan> variants;
};

// Relative paths in the text are relative to `file`. Throws FormatError with line and column.
Plan parse_plan(std::string_view toml, const std::filesystem::path& file);
Plan load_plan(const std::filesystem::path& file);

void use_profile(Plan& plan, std::string_view name);
void use_task_version(Plan& plan, TaskVersion version);
void use_limit(Plan& plan, double limit);
void override_sampling(Plan& plan, const std::string& field, const FieldValue& value);
// Keeps the named variants, in the plan's order; all if `names` is empty. Throws for one that isn't there.
void select_variants(Plan& plan, std::span<const std::string> names);

// What no single value shows: names, duplicates, servers, files that are named. Throws InputError.
void validate(const Plan& plan);

// Names become folder names. Throws InputError.
void check_folder_name(std::string_view what, std::string_view name);

}  // namespace gpqa
