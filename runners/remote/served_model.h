// Who answers at an address, as /props and /v1/models tell it; and whether the model there is the one in the
// plan's file. That is told by size: no endpoint shows a hash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "runners/remote/audit_findings.h"
#include "runners/runner.h"

namespace gpqa {

struct GgufHeader;

// Build, model path, quantisation, slots, context and chat template of a runner.
void read_props(const nlohmann::ordered_json& props, RunnerInfo& info);
// The first entry of /v1/models; null if there is none.
const nlohmann::ordered_json& first_model(const nlohmann::ordered_json& models);
// Its name, size and quantisation.
void read_model(const nlohmann::ordered_json& model, RunnerInfo& info);

// As /props and /v1/models describe it; 0 and "" where they don't.
struct ServedModel {
  std::string path;
  std::string quant;
  std::int64_t n_params = 0;
  std::int64_t bytes = 0;
  std::int64_t n_vocab = 0;
};

void compare_model(const ServedModel& served, const std::filesystem::path& file, const GgufHeader& header,
                   AuditFindings& findings);

}  // namespace gpqa
