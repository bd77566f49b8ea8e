#include "results/run_journal.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "results/posix_file.h"

namespace gpqa {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kLargestManifest = 16U << 20;

fs::path manifest_path(const fs::path& folder) {
  return folder / "run.json";
}
fs::path trials_path(const fs::path& folder) {
  return folder / "trials.jsonl";
}
fs::path transcripts_path(const fs::path& folder) {
  return folder / "transcripts.jsonl";
}

std::string name_of(const TrialId& id) {
  return fmt::format("doc {} repeat {}", id.doc_id, id.repeat);
}

Json parse(std::string_view text, const fs::path& path, const std::string& place) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    throw FormatError(path.string(), place, error.what());
  }
}

Manifest read_manifest(const fs::path& folder) {
  const fs::path path = manifest_path(folder);
  if (!fs::exists(path))
    throw InputError(fmt::format("{}: holds no run (no run.json): expected a folder that `gpqa run` made",
                                 folder.string()));
  const Json json = parse(read_whole_file(path, kLargestManifest), path, "");
  try {
    return manifest_from_json(json);
  } catch (const FormatError&) {
    throw;
  } catch (const InputError& error) {
    throw FormatError(path.string(), "", error.what());
  }
}

void write_manifest(const fs::path& folder, const Manifest& manifest) {
  replace_file(manifest_path(folder), to_json(manifest).dump(2) + "\n");
}

// Asked again when the run goes on, so a later record takes its place.
bool is_open(const TrialRecord& record) {
  return record.outcome == Outcome::failed;
}

// By id, one a trial: the first whole one, unless that one failed.
std::vector<TrialRecord> one_per_trial(std::vector<TrialRecord> records, const fs::path& path) {
  std::vector<TrialRecord*> by_id;  // moving pointers is cheaper than moving records
  by_id.reserve(records.size());
  for (auto& record : records) by_id.push_back(&record);
  std::stable_sort(by_id.begin(), by_id.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  std::vector<TrialRecord> kept;
  kept.reserve(records.size());
  for (auto* record : by_id) {
    if (kept.empty() || kept.back().id < record->id) {
      kept.push_back(std::move(*record));
    } else if (is_open(kept.back())) {
      kept.back() = std::move(*record);
    } else if (canonical(kept.back()) != canonical(*record)) {
      throw InputError(fmt::format("{}: two records of {} differ, so one of them is not of this run",
                                   path.string(), name_of(record->id)));
    }
  }
  return kept;
}

struct Journal {
  std::vector<TrialRecord> records;  // as they stand in the file
  std::uint64_t whole_bytes = 0;     // a crash tore what follows
};

Journal read_journal(std::string_view text, const fs::path& path) {
  Journal journal;
  journal.records.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
  std::size_t number = 0;
  while (journal.whole_bytes < text.size()) {
    const std::size_t end = text.find('\n', journal.whole_bytes);
    if (end == std::string_view::npos) break;
    const std::string_view line = text.substr(journal.whole_bytes, end - journal.whole_bytes);
    ++number;
    try {
      journal.records.push_back(parse_trial_record(line));
    } catch (const InputError& error) {
      // Pages of the line being written may reach the disk in any order, its end before its start.
      if (end + 1 == text.size() && !Json::accept(line)) break;
      throw FormatError(path.string(), std::to_string(number),
                        fmt::format("damaged record ({}); nothing was changed", error.what()));
    }
    if (journal.records.back().outcome == Outcome::cancelled)
      throw FormatError(path.string(), std::to_string(number), "a cancelled trial is never recorded");
    journal.whole_bytes = end + 1;
  }
  return journal;
}

Journal read_journal_of(const fs::path& folder) {
  const fs::path path = trials_path(folder);
  if (!fs::exists(path)) return {};
  return read_journal(read_whole_file(path), path);
}

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

PosixFile lock_folder(const fs::path& folder) {
  PosixFile lock(folder / "lock", O_RDWR | O_CREAT);
  if (!lock.try_lock()) {
    const std::string holder = lock.read_at(0, std::min<std::uint64_t>(lock.size(), 200));
    throw InputError(
        fmt::format("run folder {} is in use by {}: wait for it, end it, or choose another --out",
                    folder.string(), holder.empty() ? "another process" : holder));
  }
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const std::string holder = fmt::format("process {} on {}", ::getpid(), host.data());
  lock.truncate(0);
  lock.write_at(0, holder);
  return lock;
}

std::string shown(const Json& flat, const std::string& field) {
  constexpr std::size_t kLongest = 300;
  if (!flat.contains(field)) return "absent";
  const Json& value = flat[field];
  std::string text =
      value.is_string() ? fmt::format("'{}'", value.get_ref<const std::string&>()) : value.dump();
  if (text.size() > kLongest) {
    std::size_t cut = kLongest;
    while ((static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80) --cut;  // not inside a code point
    text = text.substr(0, cut) + "...";
  }
  return text;
}

// Throws if they differ in what can change a score. What merely says where things are is taken from `now`.
Manifest continued(const Manifest& stored, const Manifest& now, const fs::path& folder) {
  const auto fields = differences(stored, now);
  if (!fields.empty()) {
    std::string text = fmt::format("{}: holds another run; these fields differ:", folder.string());
    for (const auto& field : fields)
      text += fmt::format("\n  {}: stored {}, now {}", field.field, field.stored, field.now);
    throw InputError(text + "\nRestore them to go on with that run, or choose another --out.");
  }
  Manifest manifest = now;
  manifest.created = stored.created;
  manifest.runner.notes = stored.runner.notes;
  for (const auto& note : now.runner.notes)
    if (std::find(stored.runner.notes.begin(), stored.runner.notes.end(), note) == stored.runner.notes.end())
      manifest.runner.notes.push_back(note);
  return manifest;
}

}  // namespace

std::vector<ManifestDifference> differences(const Manifest& stored, const Manifest& now) {
  const Json before = identity(stored);
  const Json after = identity(now);
  std::vector<ManifestDifference> found;
  const auto note = [&](const std::string& field) {
    found.push_back({field, shown(before, field), shown(after, field)});
  };
  for (const auto& [field, value] : before.items())
    if (!after.contains(field) || after[field] != value) note(field);
  for (const auto& item : after.items())
    if (!before.contains(item.key())) note(item.key());
  return found;
}

struct RunJournal::Impl {
  PosixFile lock;
  PosixFile trials;
  PosixFile transcripts;
  std::uint64_t trials_end;
  std::uint64_t transcripts_end;
  RunRecord run;
  bool usable = true;

  // All of the line on disk, or none of it in the file.
  void append_line(PosixFile& file, std::uint64_t offset, std::string_view line) {
    try {
      file.write_at(offset, line);
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
RunJournal::RunJournal(const fs::path& folder, const Manifest& manifest) {
  make_private_folder(folder);
  PosixFile lock = lock_folder(folder);

  Manifest current = manifest;
  Journal journal;
  bool write_current = true;
  if (fs::exists(manifest_path(folder))) {
    const Manifest stored = read_manifest(folder);
    current = continued(stored, manifest, folder);
    write_current = to_json(current) != to_json(stored);
    journal = read_journal_of(folder);
  } else if (fs::exists(trials_path(folder))) {
    throw InputError(
        fmt::format("{}: holds trials.jsonl but no run.json, so what was asked is unknown: choose another "
                    "--out",
                    folder.string()));
  }
  std::uint64_t named_bytes = 0;
  for (const auto& record : journal.records)
    named_bytes = std::max(named_bytes, record.transcript_offset + record.transcript_bytes);
  std::uint64_t transcripts_end = 0;
  if (fs::exists(transcripts_path(folder)))
    transcripts_end = end_of_whole_lines(PosixFile(transcripts_path(folder), O_RDONLY));
  if (transcripts_end < named_bytes)
    throw InputError(
        fmt::format("{}: expected {} bytes that trials.jsonl names, found {} in whole lines: restore "
                    "the file or choose another --out",
                    transcripts_path(folder).string(), named_bytes, transcripts_end));
  RunRecord run{folder, std::move(current), one_per_trial(std::move(journal.records), trials_path(folder))};

  if (write_current) write_manifest(folder, run.manifest);
  PosixFile trials(trials_path(folder), O_RDWR | O_CREAT);
  PosixFile transcripts(transcripts_path(folder), O_RDWR | O_CREAT);
  trials.truncate(journal.whole_bytes);
  // A whole transcript that no record names is left: the next one goes behind it.
  transcripts.truncate(transcripts_end);
  sync_folder(folder);
  impl_ = std::make_unique<Impl>(Impl{std::move(lock), std::move(trials), std::move(transcripts),
                                      journal.whole_bytes, transcripts_end, std::move(run)});
}

RunJournal::~RunJournal() = default;

const RunRecord& RunJournal::run() const {
  return impl_->run;
}

void RunJournal::append(TrialRecord record, const Transcript& transcript) {
  Impl& impl = *impl_;
  auto& kept = impl.run.trials;
  const auto at = std::lower_bound(kept.begin(), kept.end(), record.id,
                                   [](const TrialRecord& a, const TrialId& id) { return a.id < id; });
  const bool known = at != kept.end() && at->id == record.id;
  if (record.outcome == Outcome::cancelled || record.id != transcript.id || (known && !is_open(*at)))
    throw std::logic_error("a record of " + name_of(record.id) +
                           " that is cancelled, already kept, or has another trial's transcript");
  if (!impl.usable)
    throw std::runtime_error(
        fmt::format("{}: an earlier write failed and could not be undone: run the same command "
                    "again to go on",
                    impl.run.folder.string()));

  const std::uint64_t transcript_start = impl.transcripts_end;
  std::string line = to_json(transcript).dump();
  record.transcript_offset = transcript_start;
  record.transcript_bytes = line.size() + 1;
  record.transcript_sha256 = sha256_hex(line);
  line += '\n';
  impl.append_line(impl.transcripts, transcript_start, line);

  // What is kept in memory is what a reader of the file would get.
  const std::string record_line = to_json(record).dump();
  record = parse_trial_record(record_line);
  try {
    impl.append_line(impl.trials, impl.trials_end, record_line + "\n");
  } catch (const std::runtime_error&) {
    impl.cut_back(impl.transcripts, transcript_start);
    throw;
  }
  impl.transcripts_end += line.size();
  impl.trials_end += record_line.size() + 1;
  if (known)
    *at = std::move(record);
  else
    kept.insert(at, std::move(record));
}

RunRecord read_run(const fs::path& folder) {
  return {folder, read_manifest(folder), one_per_trial(read_journal_of(folder).records, trials_path(folder))};
}

Transcript read_transcript(const RunRecord& run, const TrialRecord& record) {
  const fs::path path = transcripts_path(run.folder);
  const std::string place = fmt::format("byte {}", record.transcript_offset);
  const PosixFile file(path, O_RDONLY);
  std::string line = file.read_at(record.transcript_offset, record.transcript_bytes);
  if (line.empty() || line.back() != '\n')
    throw FormatError(path.string(), place, "expected the whole line of " + name_of(record.id));
  line.pop_back();
  if (const std::string found = sha256_hex(line); found != record.transcript_sha256)
    throw FormatError(path.string(), place,
                      fmt::format("the transcript of {} was changed: expected SHA-256 {}, found {}",
                                  name_of(record.id), record.transcript_sha256, found));
  Transcript transcript;
  try {
    transcript = transcript_from_json(parse(line, path, place));
  } catch (const FormatError&) {
    throw;
  } catch (const InputError& error) {
    throw FormatError(path.string(), place, error.what());
  }
  if (transcript.id != record.id)
    throw FormatError(path.string(), place,
                      fmt::format("expected the transcript of {}, found that of {}", name_of(record.id),
                                  name_of(transcript.id)));
  return transcript;
}

void rewrite_trials(const fs::path& folder, const std::vector<TrialRecord>& trials, FlexVariant variant) {
  read_manifest(folder);  // a folder without a run gets no lock file
  const PosixFile lock = lock_folder(folder);
  Manifest manifest = read_manifest(folder);
  std::vector<const TrialRecord*> by_id;
  by_id.reserve(trials.size());
  for (const auto& record : trials) by_id.push_back(&record);
  std::sort(by_id.begin(), by_id.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  std::string text;
  for (std::size_t i = 0; i < by_id.size(); ++i) {
    if (by_id[i]->outcome == Outcome::cancelled || (i > 0 && by_id[i]->id == by_id[i - 1]->id))
      throw std::logic_error("records to keep: " + name_of(by_id[i]->id) + " is cancelled or stands twice");
    text += to_json(*by_id[i]).dump() + "\n";
  }
  replace_file(trials_path(folder), text);
  if (manifest.flex_variant == variant) return;
  manifest.flex_variant = variant;
  write_manifest(folder, manifest);
}

}  // namespace gpqa
