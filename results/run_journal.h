// Writes a run's folder: run.json, trials.jsonl, transcripts.jsonl, and the lock that keeps a second writer
// out.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "results/run_record.h"

namespace gpqa {

// Crash-safe: a record counts once its journal line is whole and synced, and that line is written only after
// its transcript is synced; a torn tail of either file is cut off on opening. A trial that failed is asked
// again, so a later record of it counts; of any other trial there is one record. Only the user can read the
// files: they hold GPQA text.
class RunJournal {
 public:
  // Creates `folder` or goes on with the run in it. Of the fields in which that run may differ
  // (is_acceptable), those named in `accept` are taken over, and noted in its history.
  // Throws InputError if the folder holds another run (naming the fields), is in use, is damaged (it is then
  // left as it was), or can't be written.
  RunJournal(const std::filesystem::path& folder, const Manifest& manifest,
             std::span<const std::string> accept = {});
  ~RunJournal();  // commits, if it can
  RunJournal(const RunJournal&) = delete;
  RunJournal& operator=(const RunJournal&) = delete;

  const RunRecord& run() const;  // what is on disk so far
  // Fills the record's transcript_* fields. Answers that come one by one are on disk when this returns; of
  // those that come within a second of the last commit, the disk hears in one go: by commit_due, commit or
  // the next append. Throws std::runtime_error on a full disk; the journal then still holds every earlier
  // record. Not for cancelled trials.
  void append(TrialRecord record, const Transcript& transcript);
  // Commits what has waited for a second. To be called now and then.
  void commit_due();
  void commit();
  // Adds to the run's history, on disk at once.
  void note(std::string_view what);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Whether a run may go on though this field of its manifest has changed: who answers may (a server's
// upgrade), what is asked may not.
bool is_acceptable(std::string_view field);
// Throws InputError for a name in `accept` that is no acceptable field.
void check_accept(std::span<const std::string> accept);
// Whether `accept` names the field, or a group that holds it ("runner.server_defaults").
bool is_accepted(std::string_view field, std::span<const std::string> accept);

// UTC, ISO 8601.
std::string utc_now();

}  // namespace gpqa
