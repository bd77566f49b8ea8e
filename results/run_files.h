// The files of a run's folder, as they are read: by tables, by the journal that goes on with them, by the
// doctor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/posix_file.h"
#include "results/run_record.h"

namespace gpqa {

std::filesystem::path manifest_path(const std::filesystem::path& folder);     // run.json
std::filesystem::path trials_path(const std::filesystem::path& folder);       // trials.jsonl
std::filesystem::path transcripts_path(const std::filesystem::path& folder);  // transcripts.jsonl

// Reads without locking. Throws InputError for a folder that holds no run; a torn last line is dropped.
RunRecord read_run(const std::filesystem::path& folder);
// Throws InputError where the stored hash doesn't match.
Transcript read_transcript(const RunRecord& run, const TrialRecord& record);
// Replaces trials.jsonl in one step (written beside, synced, renamed), then the manifest's flex_variant, for
// rescoring. Takes the lock. Interrupted between the two, doing it again mends it.
void rewrite_trials(const std::filesystem::path& folder, const std::vector<TrialRecord>& trials,
                    FlexVariant variant = FlexVariant::v0_4_13);

Manifest read_manifest(const std::filesystem::path& folder);
void write_manifest(const std::filesystem::path& folder, const Manifest& manifest);  // in one step

// A line of trials.jsonl: a record, or why there is none.
struct TrialLine {
  std::size_t number = 0;  // from 1
  std::uint64_t end = 0;   // of its bytes, newline included
  std::optional<TrialRecord> record;
  std::string error;
  bool torn = false;  // the last one, as a crash leaves it
};
void each_trial_line(std::string_view text, const std::function<void(TrialLine)>& visit);

struct StoredTrials {
  std::vector<TrialRecord> records;  // as they stand in the file
  std::uint64_t whole_bytes = 0;     // a crash tore what follows
};
// Throws FormatError with the line's number for a damaged one that isn't torn.
StoredTrials read_trials(std::string_view text, const std::filesystem::path& path);
StoredTrials read_trials_of(const std::filesystem::path& folder);  // none where there is no file
// By id, one a trial: the first whole one, unless that one failed.
std::vector<TrialRecord> one_per_trial(std::vector<TrialRecord> records, const std::filesystem::path& path);
// Asked again when the run goes on, so a later record takes its place.
inline bool is_open(const TrialRecord& record) {
  return record.outcome == Outcome::failed;
}
std::string name_of(const TrialId& id);  // "doc 3 repeat 0"

// Held until it is destroyed, and never longer than the process lives. Throws InputError where another holds
// it.
PosixFile lock_folder(const std::filesystem::path& folder);

// A field in which a stored manifest differs from the one a run would go on with.
struct ManifestDifference {
  std::string field;
  std::string stored;
  std::string now;
};
std::vector<ManifestDifference> differences(const Manifest& stored, const Manifest& now);

}  // namespace gpqa
