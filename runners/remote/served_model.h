// Is the model that is served the one in the plan's file? Told by size: no endpoint shows a hash.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "runners/remote/audit_findings.h"

namespace gpqa {

struct GgufHeader;

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
