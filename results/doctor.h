// Looks a run's folder over: what is wrong with it, and which trials can be kept.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "results/run_record.h"

namespace gpqa {

struct Finding {
  enum class Kind {
    note,    // harmless
    mended,  // by going on with the run
    damage   // something that was kept is lost, or not what it says
  };
  Kind kind;
  std::string where;  // file and line
  std::string what;   // and what to do
};

struct Diagnosis {
  std::optional<Manifest> manifest;  // none: what was asked is unknown
  std::vector<Finding> findings;
  std::size_t planned = 0;
  std::vector<TrialRecord> sound;  // by id: record and transcript are whole and agree
  std::size_t failed = 0;          // of these: asked again when the run goes on

  bool damaged() const;
};

// Reads only, and without locking. Throws InputError where there is no such folder, or none of a run's files.
Diagnosis examine_run(const std::filesystem::path& folder);

// Writes the sound trials into `out` as a run that can be gone on with, its history saying so. Throws
// InputError if there is no manifest, or `out` holds anything.
void salvage_run(const std::filesystem::path& folder, const Diagnosis& diagnosis,
                 const std::filesystem::path& out);

}  // namespace gpqa
