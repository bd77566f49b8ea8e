// Which folders a person means.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace gpqa {

bool holds_run(const std::filesystem::path& folder);

// A run's folder stands for itself, a plan's folder (runs/card) for the runs in it, by name. Throws
// InputError for a folder without a run.
std::vector<std::filesystem::path> find_runs(std::span<const std::string> folders);
// The same where one run is meant.
std::filesystem::path find_run(const std::string& folder);

// As it can be pasted into a shell.
std::string shell_quote(const std::string& word);

}  // namespace gpqa
