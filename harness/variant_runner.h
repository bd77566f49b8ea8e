// Who answers for a variant: servers, or a model inside the program.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>

#include "harness/run_variant.h"
#include "harness/variant_servers.h"
#include "runners/embedded/embedded_runner.h"

namespace gpqa {

class VariantRunner {
 public:
  // Throws as open_servers; for a model of our own InputError, FormatError, AuditRefused, Interrupted.
  VariantRunner(const PreparedPlan& prepared, const VariantPlan& variant, const std::filesystem::path& folder,
                const std::stop_token& stop);

  Runner& runner() { return *runner_; }

 private:
  void ask_servers(const PreparedPlan& prepared, const VariantPlan& variant,
                   const std::filesystem::path& folder, const std::stop_token& stop);
  void load(const PreparedPlan& prepared, const VariantPlan& variant, const std::stop_token& stop);

  VariantServers servers_;
  std::unique_ptr<LoadedModel> model_;
  std::unique_ptr<ChatModel> chat_;
  std::unique_ptr<Runner> runner_;  // last: it uses the others
};

}  // namespace gpqa
