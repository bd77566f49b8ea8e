#include "results/run_journal.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fcntl.h>
#include <stdexcept>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "results/posix_file.h"
#include "results/run_files.h"

namespace gpqa {
namespace fs = std::filesystem;
namespace {

// After the last newline.
std::uint64_t end_of_whole_lines(const PosixFile& file) {
  constexpr std::uint64_t kChunk = 64U << 10;
  std::uint64_t end = file.size();
  while (end > 0) {
    const std::uint64_t start = end - std::min(end, kChunk);
    const std::string chunk = file.read_at(start, end - start);
    if (const auto newline = chunk.rfind('\n'); newline != std::string::npos) return start + newline + 1;
    end = start;
  }
  return 0;
}

// Throws if they differ in what can change a score and wasn't accepted. What merely says where things are is
// taken from `now`.
Manifest continued(const RunRecord& stored_run, const Manifest& now, std::span<const std::string> accept) {
  const Manifest& stored = stored_run.manifest;
  std::string refused;
  bool all_acceptable = true;
  std::vector<std::string> changes;
  for (const auto& field : differences(stored, now)) {
    auto words = fmt::format("{}: stored {}, now {}", field.field, field.stored, field.now);
    if (is_accepted(field.field, accept)) {
      changes.push_back("accepted: " + words);
    } else {
      refused += "\n  " + words;
      all_acceptable = all_acceptable && is_acceptable(field.field);
    }
  }
  if (!refused.empty())
    throw InputError(fmt::format(
        "{}: holds another run; these fields differ:{}\nRestore them to go on with that run{}, or choose "
        "another --out.",
        stored_run.folder.string(), refused,
        all_acceptable ? ", take each over with --accept-change FIELD (it is noted in the run)" : ""));
  Manifest manifest = now;
  manifest.created = stored.created;
  manifest.history = stored.history;
  for (auto& change : changes)
    manifest.history.push_back(
        {utc_now(), static_cast<std::int64_t>(stored_run.trials.size()), std::move(change)});
  manifest.runner.notes = stored.runner.notes;
  for (const auto& note : now.runner.notes)
    if (std::find(stored.runner.notes.begin(), stored.runner.notes.end(), note) == stored.runner.notes.end())
      manifest.runner.notes.push_back(note);
  return manifest;
}

}  // namespace

struct RunJournal::Impl {
  using Clock = std::chrono::steady_clock;
  static constexpr auto kGroup = std::chrono::seconds(1);  // answers of so long may share a commit

  struct Waiting {
    TrialRecord record;
    std::string line;
  };

  PosixFile lock;
  PosixFile trials;
  PosixFile transcripts;
  std::uint64_t trials_end;
  std::uint64_t transcripts_end;
  RunRecord run;
  bool usable = true;
  std::vector<Waiting> waiting{};
  std::string waiting_transcripts{};
  Clock::time_point committed{};

  const TrialRecord* find(const TrialId& id) const {
    for (const auto& each : waiting)
      if (each.record.id == id) return &each.record;
    const auto at = place_of(id);
    return at != run.trials.end() && at->id == id ? &*at : nullptr;
  }

  std::vector<TrialRecord>::const_iterator place_of(const TrialId& id) const {
    return std::lower_bound(run.trials.begin(), run.trials.end(), id,
                            [](const TrialRecord& a, const TrialId& b) { return a.id < b; });
  }

  void keep(TrialRecord record) {
    const auto at = run.trials.begin() + (place_of(record.id) - run.trials.cbegin());
    if (at != run.trials.end() && at->id == record.id)
      *at = std::move(record);
    else
      run.trials.insert(at, std::move(record));
  }

  // Every waiting answer on disk, or nothing of them in the files.
  void commit() {
    if (waiting.empty()) return;
    if (!usable)
      throw std::runtime_error(
          fmt::format("{}: an earlier write failed and could not be undone: run the same command "
                      "again to go on",
                      run.folder.string()));
    std::string lines;
    for (const auto& each : waiting) lines += each.line;
    append_bytes(transcripts, transcripts_end, waiting_transcripts);
    try {
      append_bytes(trials, trials_end, lines);
    } catch (const std::runtime_error&) {
      cut_back(transcripts, transcripts_end);
      throw;
    }
    transcripts_end += waiting_transcripts.size();
    trials_end += lines.size();
    for (auto& each : waiting) keep(std::move(each.record));
    waiting.clear();
    waiting_transcripts.clear();
    committed = Clock::now();
  }

  bool due() const { return Clock::now() - committed >= kGroup; }

  // All of the bytes on disk, or none of them in the file.
  void append_bytes(PosixFile& file, std::uint64_t offset, std::string_view bytes) {
    try {
      file.write_at(offset, bytes);
    } catch (const std::runtime_error&) {
      cut_back(file, offset);
      throw;
    }
    try {
      file.sync();
    } catch (const std::runtime_error&) {
      usable = false;  // the kernel may have dropped what it could not write: nothing later can be trusted
      cut_back(file, offset);
      throw;
    }
  }

  void cut_back(PosixFile& file, std::uint64_t size) {
    try {
      file.truncate(size);
    } catch (const std::runtime_error&) {
      usable = false;
    }
  }
};

// Everything is read and checked before the first byte is changed.
RunJournal::RunJournal(const fs::path& folder, const Manifest& manifest,
                       std::span<const std::string> accept) {
  check_accept(accept);
  make_private_folder(folder);
  PosixFile lock = lock_folder(folder);

  RunRecord run{folder, manifest, {}};
  std::uint64_t trials_end = 0;
  std::uint64_t named_bytes = 0;
  bool write_current = true;
  if (fs::exists(manifest_path(folder))) {
    const Manifest stored = read_manifest(folder);
    StoredTrials trials = read_trials_of(folder);
    trials_end = trials.whole_bytes;
    for (const auto& record : trials.records)
      named_bytes = std::max(named_bytes, record.transcript_offset + record.transcript_bytes);
    run.manifest = stored;
    run.trials = one_per_trial(std::move(trials.records), trials_path(folder));
    run.manifest = continued(run, manifest, accept);
    write_current = to_json(run.manifest) != to_json(stored);
  } else if (fs::exists(trials_path(folder))) {
    throw InputError(
        fmt::format("{}: holds trials.jsonl but no run.json, so what was asked is unknown: choose another "
                    "--out",
                    folder.string()));
  }
  std::uint64_t transcripts_end = 0;
  if (fs::exists(transcripts_path(folder)))
    transcripts_end = end_of_whole_lines(PosixFile(transcripts_path(folder), O_RDONLY));
  if (transcripts_end < named_bytes)
    throw InputError(
        fmt::format("{}: expected {} bytes that trials.jsonl names, found {} in whole lines: restore "
                    "the file or choose another --out (`gpqa doctor` says what can be kept)",
                    transcripts_path(folder).string(), named_bytes, transcripts_end));

  if (write_current) write_manifest(folder, run.manifest);
  PosixFile trials(trials_path(folder), O_RDWR | O_CREAT);
  PosixFile transcripts(transcripts_path(folder), O_RDWR | O_CREAT);
  trials.truncate(trials_end);
  // A whole transcript that no record names is left: the next one goes behind it.
  transcripts.truncate(transcripts_end);
  sync_folder(folder);
  impl_ = std::make_unique<Impl>(Impl{std::move(lock), std::move(trials), std::move(transcripts), trials_end,
                                      transcripts_end, std::move(run)});
}

RunJournal::~RunJournal() {
  try {
    impl_->commit();
  } catch (const std::exception&) {  // a full disk: whoever called append or commit has heard of it
  }
}

const RunRecord& RunJournal::run() const {
  return impl_->run;
}

void RunJournal::append(TrialRecord record, const Transcript& transcript) {
  Impl& impl = *impl_;
  const auto* known = impl.find(record.id);
  if (record.outcome == Outcome::cancelled || record.id != transcript.id ||
      (known != nullptr && !is_open(*known)))
    throw std::logic_error("a record of " + name_of(record.id) +
                           " that is cancelled, already kept, or has another trial's transcript");

  const std::string line = to_json(transcript).dump();
  record.transcript_offset = impl.transcripts_end + impl.waiting_transcripts.size();
  record.transcript_bytes = line.size() + 1;
  record.transcript_sha256 = sha256_hex(line);
  const std::string record_line = to_json(record).dump();
  // What is kept in memory is what a reader of the file would get.
  impl.waiting.push_back({parse_trial_record(record_line), record_line + "\n"});
  impl.waiting_transcripts += line;
  impl.waiting_transcripts += '\n';
  try {
    commit_due();
  } catch (...) {  // whoever hears of it still has this answer; those before it wait for the next commit
    impl.waiting.pop_back();
    impl.waiting_transcripts.resize(impl.waiting_transcripts.size() - line.size() - 1);
    throw;
  }
}

void RunJournal::commit_due() {
  if (impl_->due()) impl_->commit();
}

void RunJournal::commit() {
  impl_->commit();
}

void RunJournal::note(std::string_view what) {
  Impl& impl = *impl_;
  impl.commit();  // so that what was recorded before it is on disk before it
  impl.run.manifest.history.push_back(
      {utc_now(), static_cast<std::int64_t>(impl.run.trials.size()), std::string(what)});
  write_manifest(impl.run.folder, impl.run.manifest);
}

bool is_acceptable(std::string_view field) {
  return field.starts_with("runner.") || field == "gpqa_version";
}

void check_accept(std::span<const std::string> accept) {
  for (const auto& field : accept)
    if (!is_acceptable(field))
      throw InputError(
          fmt::format("--accept-change {}: only changes of who answers can be taken over (runner.build, "
                      "gpqa_version, ...); what is asked, and how, stays the same in one run",
                      field));
}

bool is_accepted(std::string_view field, std::span<const std::string> accept) {
  return is_acceptable(field) && std::any_of(accept.begin(), accept.end(), [&](const std::string& name) {
           return field == name || field.starts_with(name + ".");
         });
}

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace gpqa
