// The flags of `gpqa run`.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "harness/plan_flags.h"

namespace gpqa {

struct RunOptions {
  PlanFlags plan;
  std::string out;
  std::vector<std::string> accept;
  std::vector<CLI::Option*> instead_of_plan;  // those that a plan file says itself
};

void add_run_options(CLI::App& app, RunOptions& options);
// Throws InputError where a flag and the plan file say the same thing.
void check_run_options(const RunOptions& options);

}  // namespace gpqa
