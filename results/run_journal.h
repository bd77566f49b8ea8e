// A run's folder: run.json, trials.jsonl, transcripts.jsonl, and the lock that keeps a second writer out.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "results/run_record.h"

namespace gpqa {

// A field in which a stored manifest differs from the one a run would go on with.
struct ManifestDifference {
  std::string field;
  std::string stored;
  std::string now;
};
std::vector<ManifestDifference> differences(const Manifest& stored, const Manifest& now);

// Writes a run. Crash-safe: a record counts once its journal line is whole and synced, and that line is
// written only after its transcript is synced; a torn tail of either file is cut off on opening. A trial that
// failed is asked again, so a later record of it counts; of any other trial there is one record. Only the
// user can read the files: they hold GPQA text.
class RunJournal {
 public:
  // Creates `folder` or goes on with the run in it.
  // Throws InputError if the folder holds another run (naming the fields), is in use, is damaged (it is then
  // left as it was), or can't be written.
  RunJournal(const std::filesystem::path& folder, const Manifest& manifest);
  ~RunJournal();
  RunJournal(const RunJournal&) = delete;
  RunJournal& operator=(const RunJournal&) = delete;

  const RunRecord& run() const;  // what is kept so far
  // Fills the record's transcript_* fields. Returns once both lines are on disk. Throws std::runtime_error on
  // a full disk; the journal then still holds every earlier record. Not for cancelled trials.
  void append(TrialRecord record, const Transcript& transcript);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Reads without locking. Throws InputError for a folder that holds no run; a torn last line is dropped.
RunRecord read_run(const std::filesystem::path& folder);
// Throws InputError where the stored hash doesn't match.
Transcript read_transcript(const RunRecord& run, const TrialRecord& record);
// Replaces trials.jsonl in one step (written beside, synced, renamed), then the manifest's flex_variant, for
// rescoring. Takes the lock. Interrupted between the two, doing it again mends it.
void rewrite_trials(const std::filesystem::path& folder, const std::vector<TrialRecord>& trials,
                    FlexVariant variant = FlexVariant::v0_4_13);

}  // namespace gpqa
