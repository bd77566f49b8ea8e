#include "harness/run_folders.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "prompts/input_error.h"

namespace gpqa {

namespace fs = std::filesystem;

bool holds_run(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / "run.json", error);
}

namespace {

// The first folder of runs two levels down: people name the folder that holds all of theirs.
std::optional<fs::path> run_below(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& outer : fs::directory_iterator(folder, error)) {
    if (!outer.is_directory(error)) continue;
    for (const auto& inner : fs::directory_iterator(outer.path(), error))
      if (holds_run(inner.path())) found.push_back(outer.path());
  }
  if (found.empty()) return std::nullopt;
  return *std::min_element(found.begin(), found.end());
}

}  // namespace

std::vector<fs::path> find_runs(std::span<const std::string> folders) {
  std::vector<fs::path> runs;
  for (const auto& name : folders) {
    const fs::path folder(name);
    std::error_code error;
    if (!fs::is_directory(folder, error)) throw InputError(fmt::format("no such folder: '{}'", name));
    if (holds_run(folder)) {
      runs.push_back(folder);
      continue;
    }
    std::vector<fs::path> inside;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
      if (holds_run(entry->path())) inside.push_back(entry->path());
    if (error) throw InputError(fmt::format("can't read '{}': {}", name, error.message()));
    if (inside.empty()) {
      const auto deeper = run_below(folder);
      throw InputError(fmt::format("'{}' holds no run (no run.json in it, nor in a folder of it){}", name,
                                   deeper ? fmt::format("; did you mean '{}'?", deeper->string()) : ""));
    }
    std::sort(inside.begin(), inside.end());
    runs.insert(runs.end(), inside.begin(), inside.end());
  }
  return runs;
}

fs::path find_run(const std::string& folder) {
  const auto runs = find_runs({&folder, 1});
  if (runs.size() == 1) return runs.front();
  std::string names;
  for (const auto& run : runs) names += "\n  " + run.string();
  throw InputError(fmt::format("'{}' holds {} runs; name one:{}", folder, runs.size(), names));
}

std::string shell_quote(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace gpqa
