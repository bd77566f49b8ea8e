#include "harness/profiles.h"

#include <fmt/format.h>

#include "harness/commands/command.h"
#include "harness/sampling_fields.h"

namespace gpqa {
namespace {

constexpr std::size_t kLineWidth = 100;

void print_wrapped(const std::vector<std::string>& words) {
  std::string line = " ";
  for (const auto& word : words) {
    if (line.size() + 1 + word.size() > kLineWidth && line.size() > 1) {
      fmt::print("{}\n", line);
      line = " ";
    }
    line += " " + word;
  }
  fmt::print("{}\n", line);
}

int run() {
  for (const auto& profile : profiles()) {
    fmt::print("{}: {}\n", profile.name, profile.summary);
    print_wrapped(describe_sampling(profile.sampling));
    fmt::print("  task version {}", to_string(profile.task_version));
    if (profile.concurrency > 0) fmt::print(", {} request at a time", profile.concurrency);
    fmt::print("\n");
    for (const auto& assumption : profile.assumptions) fmt::print("  assumes: {}\n", assumption.words);
    fmt::print("\n");
  }
  fmt::print(
      "A field that is not named is left to the server. Any can be overridden: --set min_p=0, or [sampling] "
      "in a plan.\n");
  return 0;
}

}  // namespace

Command add_profiles(CLI::App& root) {
  auto* app =
      root.add_subcommand("profiles", "List the profiles: every field that they send, and what they assume.");
  app->footer("Example: gpqa profiles");
  return {app, [] { return run(); }};
}

}  // namespace gpqa
