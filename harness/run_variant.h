// One variant of a plan: audit its server, ask what its run lacks, say how it went.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "harness/plan.h"
#include "prompts/dataset.h"
#include "results/run_record.h"

namespace gpqa {

// What all variants share, read before the network is touched.
struct PreparedPlan {
  Plan plan;
  Dataset dataset;
  std::vector<Trial> trials;
  std::filesystem::path out;        // holds a folder for each variant
  std::vector<std::string> accept;  // fields of the manifest whose change is taken over
};

// What the plan decides; the server's part (Manifest::runner) comes from the audit.
Manifest plan_manifest(const PreparedPlan& prepared, const VariantPlan& variant);

// The fields in which the run in `folder` differs from the plan, runner and `accept` aside; throws InputError
// naming them. Nothing to say where there is no run yet.
void check_stored_run(const std::filesystem::path& folder, const Manifest& manifest,
                      std::span<const std::string> accept);

struct VariantResult {
  bool interrupted = false;
  std::int64_t failed = 0;
};
// Throws AuditRefused, TransportError, RunAborted, InputError.
VariantResult run_variant(const PreparedPlan& prepared, const VariantPlan& variant);

}  // namespace gpqa
