#include "results/run_files.h"

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

Json parse(std::string_view text, const fs::path& path, const std::string& place) {
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    throw FormatError(path.string(), place, error.what());
  }
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

}  // namespace

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

void each_trial_line(std::string_view text, const std::function<void(TrialLine)>& visit) {
  std::size_t number = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t newline = text.find('\n', start);
    const std::string_view bytes = text.substr(start, newline - start);
    TrialLine line;
    line.number = ++number;
    line.end = newline == std::string_view::npos ? text.size() : newline + 1;
    line.torn = newline == std::string_view::npos;
    start = line.end;
    if (!line.torn) {
      try {
        line.record = parse_trial_record(bytes);
        if (line.record->outcome == Outcome::cancelled) {
          line.record.reset();
          line.error = "a cancelled trial is never recorded";
        }
      } catch (const InputError& error) {
        line.error = error.what();
        // Pages of the line being written may reach the disk in any order, its end before its start.
        line.torn = line.end == text.size() && !Json::accept(bytes);
      }
    }
    visit(std::move(line));
  }
}

StoredTrials read_trials(std::string_view text, const fs::path& path) {
  StoredTrials stored;
  stored.records.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
  each_trial_line(text, [&](TrialLine line) {
    if (line.torn) return;
    if (!line.record)
      throw FormatError(path.string(), std::to_string(line.number),
                        fmt::format("damaged record ({}); nothing was changed", line.error));
    stored.records.push_back(std::move(*line.record));
    stored.whole_bytes = line.end;
  });
  return stored;
}

StoredTrials read_trials_of(const fs::path& folder) {
  const fs::path path = trials_path(folder);
  if (!fs::exists(path)) return {};
  return read_trials(read_whole_file(path), path);
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

RunRecord read_run(const fs::path& folder) {
  return {folder, read_manifest(folder), one_per_trial(read_trials_of(folder).records, trials_path(folder))};
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
