// A trial: one question asked once, with everything that is decided before a model sees it.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "prompts/dataset.h"

namespace gpqa {

struct TrialId {
  std::uint32_t doc_id = 0;
  std::uint32_t repeat = 0;
  auto operator<=>(const TrialId&) const = default;  // NOLINT(modernize-use-nullptr): of the generated code
};

// lm-eval's task versions differ in how they clean the choices (SEED_FACTS: 1.0 corrupts 12 Diamond
// questions).
enum class TaskVersion { v1_0, v2_1, v2_2 };
std::string_view to_string(TaskVersion version);        // "1.0", "2.1", "2.2"
TaskVersion parse_task_version(std::string_view text);  // throws InputError

struct Trial {
  TrialId id;
  std::string record_id;
  std::array<std::string, 4> choices;  // cleaned, in the order they are shown
  char gold = 'A';                     // the FIRST choice equal to the correct one
  std::string prompt;                  // the user message
  std::string prompt_hash;  // lm-eval's: SHA-256 of the messages as Python's json.dumps writes them
  std::uint32_t seed = 0;   // of the request: trial_seed(run_seed, record_id, row, repeat)

  std::string target() const { return {'(', gold, ')'}; }
};

struct TrialOptions {
  TaskVersion version = TaskVersion::v2_2;
  std::uint64_t shuffle_seed = 0;  // lm-eval's --seed: the order of the choices
  std::uint64_t run_seed = 0;      // of the sampling seeds
  double limit = 0;                // lm-eval's --limit: first N rows; below 1: ceil(N * rows); 0: all
  std::uint32_t repeats = 1;
};

// lm-eval's --limit. Throws InputError for a negative limit or one that is no number.
std::size_t rows_under_limit(double limit, std::size_t rows);

// All trials, repeat by repeat, rows in file order. Choices are the same in every repeat.
// The shuffle runs over all rows even under a limit, as lm-eval's does.
std::vector<Trial> make_trials(const Dataset& dataset, const TrialOptions& options);

// A function of its arguments alone, so that every variant samples a question with the same seed: FNV-1a
// steps over the record id from SplitMix64(run_seed), then SplitMix64 over row and over repeat; the upper 32
// bits. Never 2^32-1: llama-server reads that as "random".
std::uint32_t trial_seed(std::uint64_t run_seed, std::string_view record_id, std::uint32_t row,
                         std::uint32_t repeat);

}  // namespace gpqa
