#include "results/doctor.h"

#include <algorithm>
#include <fcntl.h>
#include <map>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "prompts/prompt.h"
#include "prompts/sha256.h"
#include "results/posix_file.h"
#include "results/run_files.h"
#include "results/run_journal.h"
#include "results/summary.h"
#include "scoring/score.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;
using Kind = Finding::Kind;

class Examination {
 public:
  explicit Examination(const fs::path& folder) : folder_(folder) {}

  Diagnosis run() {
    if (!fs::is_directory(folder_)) throw InputError(fmt::format("{}: no such folder", folder_.string()));
    if (!fs::exists(manifest_path(folder_)) && !fs::exists(trials_path(folder_)))
      throw InputError(
          fmt::format("{}: holds neither run.json nor trials.jsonl: expected a folder that `gpqa run` "
                      "made",
                      folder_.string()));
    read_the_manifest();
    look_around();
    read_lines();
    for (auto& [id, numbered] : by_id_) check_trial(numbered.first, std::move(numbered.second));
    std::sort(all_.sound.begin(), all_.sound.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return std::move(all_);
  }

 private:
  void find(Kind kind, std::string where, std::string what) {
    all_.findings.push_back({kind, std::move(where), std::move(what)});
  }

  void read_the_manifest() {
    try {
      all_.manifest = read_manifest(folder_);
      all_.planned =
          static_cast<std::size_t>(planned_questions(*all_.manifest)) * all_.manifest->trials.repeats;
    } catch (const InputError& error) {
      find(Kind::damage, "run.json",
           fmt::format("{}. What was asked is unknown without it: restore it, or begin another run",
                       error.what()));
    }
  }

  // Things beside the files themselves.
  void look_around() {
    try {
      if (fs::exists(folder_ / "lock") && !PosixFile(folder_ / "lock", O_RDONLY).try_lock())
        find(Kind::note, "lock", "a run writes here now: what follows may be half of a change");
    } catch (const InputError& error) {
      find(Kind::note, "lock", error.what());
    }
    for (const char* name : {"run.json.new", "trials.jsonl.new"})
      if (fs::exists(folder_ / name))
        find(Kind::note, name, "left by a write that was interrupted; it can be deleted");
    for (const char* name : {"run.json", "trials.jsonl", "transcripts.jsonl"}) {
      std::error_code error;
      const auto mode = fs::status(folder_ / name, error).permissions();
      if (!error && (mode & (fs::perms::group_read | fs::perms::others_read)) != fs::perms::none)
        find(Kind::note, name,
             "others can read it, and it may hold GPQA text: chmod go= " + std::string(name));
    }
  }

  void read_lines() {
    if (!fs::exists(trials_path(folder_))) return;
    each_trial_line(read_whole_file(trials_path(folder_)), [&](TrialLine line) {
      const auto where = fmt::format("trials.jsonl:{}", line.number);
      if (line.torn)
        find(Kind::mended, where, "it is torn, as after a crash: that trial is asked again");
      else if (line.record)
        take(line.number, std::move(*line.record));
      else
        find(Kind::damage, where, fmt::format("no record ({}): that trial is lost", line.error));
    });
  }

  void take(std::size_t number, TrialRecord record) {
    const auto [at, is_new] = by_id_.try_emplace(record.id, number, record);
    if (is_new) return;
    auto& [first, kept] = at->second;
    if (is_open(kept))
      at->second = {number, std::move(record)};
    else if (canonical(kept) != canonical(record))
      find(Kind::damage, fmt::format("trials.jsonl:{}", number),
           fmt::format(
               "another record of {} than line {}: one of them is not of this run, and which can't be told; "
               "the first is kept",
               name_of(record.id), first));
  }

  void check_trial(std::size_t number, TrialRecord record) {
    const auto where = fmt::format("trials.jsonl:{}", number);
    if (all_.manifest && (record.id.repeat >= all_.manifest->trials.repeats ||
                          record.id.doc_id >= planned_questions(*all_.manifest))) {
      find(Kind::damage, where,
           fmt::format("{} is not of this plan of {} trials: it is not kept", name_of(record.id),
                       all_.planned));
      return;
    }
    Transcript transcript;
    try {
      transcript = read_transcript({folder_, {}, {}}, record);
    } catch (const std::exception& error) {
      find(Kind::damage, where, fmt::format("{} has no transcript: {}", name_of(record.id), error.what()));
      return;
    }
    if (sha256_hex(messages_json(transcript.prompt)) != record.prompt_hash) {
      find(
          Kind::damage, where,
          fmt::format("{}: the prompt in its transcript is not the one that was hashed", name_of(record.id)));
      return;
    }
    if (all_.manifest && !is_open(record)) check_score(where, record, transcript);
    all_.failed += is_open(record) ? 1 : 0;
    all_.sound.push_back(std::move(record));
  }

  void check_score(const std::string& where, const TrialRecord& record, const Transcript& transcript) {
    const auto now =
        score(transcript.content, transcript.choices, record.target, all_.manifest->flex_variant);
    if (now != record.score)
      find(Kind::damage, where,
           fmt::format("{} is scored otherwise than the filters of {} score its transcript: gpqa rescore",
                       name_of(record.id), lm_eval_release(all_.manifest->flex_variant)));
  }

  fs::path folder_;
  Diagnosis all_;
  std::map<TrialId, std::pair<std::size_t, TrialRecord>> by_id_;  // with the number of its line
};

}  // namespace

bool Diagnosis::damaged() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.kind == Kind::damage; });
}

Diagnosis examine_run(const fs::path& folder) {
  return Examination(folder).run();
}

void salvage_run(const fs::path& folder, const Diagnosis& diagnosis, const fs::path& out) {
  if (!diagnosis.manifest)
    throw InputError(fmt::format("{}: without its run.json nothing can be gone on with", folder.string()));
  std::error_code error;
  if (fs::exists(out) && !fs::is_empty(out, error))
    throw InputError(fmt::format("{}: is not empty; a salvaged run gets a folder of its own", out.string()));
  RunJournal journal(out, *diagnosis.manifest);
  for (const auto& record : diagnosis.sound)
    journal.append(record, read_transcript({folder, {}, {}}, record));
  journal.note(fmt::format("salvaged from a damaged folder: {} of {} trials were sound",
                           diagnosis.sound.size(), diagnosis.planned));
}

}  // namespace gpqa
