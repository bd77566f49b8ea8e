// Who answers for a variant: servers that run, or one that is started for it.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <vector>

#include "harness/run_variant.h"
#include "runners/remote/endpoint.h"
#include "runners/remote/server_process.h"

namespace gpqa {

struct VariantServers {
  std::unique_ptr<ServerProcess> process;  // of `servers`' only one, if it is ours
  std::vector<Server> servers;             // audited
};

// Starts what is to be started (its log goes to `folder`, which is there), waits until it has loaded its
// model, and audits. Throws AuditRefused, also where several servers differ in what can change a score;
// TransportError; InputError; Interrupted.
VariantServers open_servers(const PreparedPlan& prepared, const VariantPlan& variant,
                            const std::filesystem::path& folder, const std::stop_token& stop);

}  // namespace gpqa
