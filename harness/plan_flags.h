// The flags of `gpqa run`: a plan of one variant, or what they change in a plan file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/plan.h"

namespace gpqa {

struct PlanFlags {
  std::string plan;                   // --plan; else the next ones make one
  std::vector<std::string> variants;  // --variant, of the plan
  std::vector<std::string> servers;   // --server URL[,URL]
  std::string name, map, calibrated_on, model, api_key_env;
  std::optional<std::int64_t> experts, concurrency, context_pool;
  EngineOptions engine;
  bool reference = false, force_template = false;
  // either way
  std::string dataset, profile, task_version;
  std::optional<double> limit;
  std::optional<std::uint32_t> repeats;
  std::optional<std::uint64_t> seed, run_seed;
  std::vector<std::string> set;  // NAME=VALUE
};

// Throws InputError; the result is validated.
Plan make_plan(const PlanFlags& flags);

}  // namespace gpqa
