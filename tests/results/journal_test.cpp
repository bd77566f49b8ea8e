#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "results/posix_file.h"
#include "results/run_files.h"
#include "results/run_journal.h"
#include "tests/catch.h"
#include "tests/results/sample_run.h"
#include "tests/temporary_folder.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(const fs::path& path) {
  return read_whole_file(path);
}

void write_bytes(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

void append_records(const fs::path& folder, std::initializer_list<std::uint32_t> docs) {
  RunJournal journal(folder, sample_manifest());
  for (const auto doc : docs) journal.append(sample_record(doc), sample_transcript(doc));
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// In a process of its own; true if `action` returned true there.
bool in_child(const std::function<bool()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = false;
    try {
      good = action();
    } catch (const std::exception&) {
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("A run is read back as it was written, sorted by id") {
  const TemporaryFolder folder;
  const fs::path run_folder = folder.path() / "plan" / "98e";
  {
    RunJournal journal(run_folder, sample_manifest());
    CHECK(journal.run().trials.empty());
    for (const std::uint32_t doc : {5U, 1U, 3U}) journal.append(sample_record(doc), sample_transcript(doc));
    journal.append(sample_record(1, 1), sample_transcript(1, 1));
    journal.commit();
    CHECK(journal.run().trials.size() == 4);
    CHECK(journal.run().trials[1].id == TrialId{1, 1});
  }
  const RunRecord run = read_run(run_folder);
  CHECK(run.folder == run_folder);
  CHECK(to_json(run.manifest) == to_json(sample_manifest()));
  REQUIRE(run.trials.size() == 4);
  CHECK(run.trials[0].id == TrialId{1, 0});
  CHECK(run.trials[2].id == TrialId{3, 0});
  CHECK(run.trials[3].id == TrialId{5, 0});
  for (const auto& trial : run.trials) {
    CHECK(canonical(trial).at("record_id") == sample_record(trial.id.doc_id).record_id);
    CHECK(to_json(read_transcript(run, trial)) ==
          to_json(sample_transcript(trial.id.doc_id, trial.id.repeat)));
  }
}

TEST_CASE("A journal's files can be read by their owner only") {
  const TemporaryFolder folder;
  const fs::path run_folder = folder.path() / "run";
  append_records(run_folder, {0});
  const auto mode = [](const fs::path& path) {
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & 0777U;
  };
  CHECK(mode(run_folder) == 0700);
  for (const char* file : {"run.json", "trials.jsonl", "transcripts.jsonl", "lock"})
    CHECK(mode(run_folder / file) == 0600);
}

TEST_CASE("A crash at any byte of the last two records leaves the earlier ones whole, and the run goes on") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0, 1});
  const std::size_t trials_two = bytes_of(folder.path() / "trials.jsonl").size();
  const std::size_t transcripts_two = bytes_of(folder.path() / "transcripts.jsonl").size();
  append_records(folder.path(), {2, 3});
  const std::string trials = bytes_of(folder.path() / "trials.jsonl");
  const std::string transcripts = bytes_of(folder.path() / "transcripts.jsonl");
  const std::size_t trials_three = trials.find('\n', trials_two) + 1;
  const std::size_t transcripts_three = transcripts.find('\n', transcripts_two) + 1;

  const auto recovers = [&](std::size_t trial_bytes, std::size_t transcript_bytes, std::size_t kept) {
    write_bytes(folder.path() / "trials.jsonl", std::string_view(trials).substr(0, trial_bytes));
    write_bytes(folder.path() / "transcripts.jsonl",
                std::string_view(transcripts).substr(0, transcript_bytes));
    REQUIRE(read_run(folder.path()).trials.size() == kept);
    RunJournal journal(folder.path(), sample_manifest());
    REQUIRE(journal.run().trials.size() == kept);
    for (auto doc = static_cast<std::uint32_t>(kept); doc < 4; ++doc)
      journal.append(sample_record(doc), sample_transcript(doc));
    journal.commit();
    const RunRecord run = read_run(folder.path());
    REQUIRE(run.trials.size() == 4);
    for (const auto& trial : run.trials) {
      REQUIRE(trial.id.doc_id == static_cast<std::uint32_t>(&trial - run.trials.data()));
      REQUIRE(to_json(read_transcript(run, trial)) == to_json(sample_transcript(trial.id.doc_id)));
    }
    // What the crash tore is gone: every line left is whole.
    std::istringstream lines(bytes_of(folder.path() / "transcripts.jsonl"));
    for (std::string line; std::getline(lines, line);) REQUIRE(nlohmann::json::accept(line));
  };
  // While a transcript was written, its record was not yet begun; while a record was, its transcript was
  // whole.
  for (std::size_t n = transcripts_two; n < transcripts_three; ++n) recovers(trials_two, n, 2);
  for (std::size_t n = trials_two; n < trials_three; ++n) recovers(n, transcripts_three, 2);
  for (std::size_t n = transcripts_three; n < transcripts.size(); ++n) recovers(trials_three, n, 3);
  for (std::size_t n = trials_three; n < trials.size(); ++n) recovers(n, transcripts.size(), 3);
  recovers(trials.size(), transcripts.size(), 4);
}

TEST_CASE("A last line whose first page never reached the disk is dropped") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0, 1});
  const std::string trials = bytes_of(folder.path() / "trials.jsonl");
  for (const std::string& tail :
       {std::string(40, '\0') + "\n", std::string(40, '\0'), std::string(R"({"doc_id":)")}) {
    write_bytes(folder.path() / "trials.jsonl", trials + tail);
    CHECK(read_run(folder.path()).trials.size() == 2);
    const RunJournal journal(folder.path(), sample_manifest());
    CHECK(bytes_of(folder.path() / "trials.jsonl") == trials);
  }
}

TEST_CASE("A damaged line that no crash explains is an error with its number, and nothing is changed") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0, 1, 2});
  const std::string trials = bytes_of(folder.path() / "trials.jsonl");
  const std::size_t second = trials.find('\n') + 1;
  const std::size_t third = trials.find('\n', second) + 1;
  std::string middle = trials;
  middle[second + 5] = '\0';
  std::string unknown_key = trials;
  unknown_key.replace(third + 2, 6, "doc_ix");
  std::string cancelled = trials;
  cancelled.replace(cancelled.find("\"stop\"", second), 6, "\"cancelled\"");
  for (const auto& [bytes, line] : {std::pair(middle, ":2:"), std::pair(unknown_key, ":3:"),
                                    std::pair(cancelled, ":2:"), std::pair(middle + "torn", ":2:")}) {
    write_bytes(folder.path() / "trials.jsonl", bytes);
    const std::string text = error_of([&] { RunJournal(folder.path(), sample_manifest()); });
    CHECK_THAT(text, Catch::Contains(std::string("trials.jsonl") + line));
    CHECK_THROWS_AS(read_run(folder.path()), InputError);
    CHECK(bytes_of(folder.path() / "trials.jsonl") == bytes);
  }
}

TEST_CASE("Of equal records of a trial the first counts; unequal ones are an error") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0, 1});
  const std::string trials = bytes_of(folder.path() / "trials.jsonl");
  const std::string first = trials.substr(0, trials.find('\n') + 1);
  TrialRecord again = read_run(folder.path()).trials[0];
  again.timing.total_ms = 99;
  write_bytes(folder.path() / "trials.jsonl", trials + to_json(again).dump() + "\n");
  const RunRecord run = read_run(folder.path());
  REQUIRE(run.trials.size() == 2);
  CHECK(run.trials[0].timing.total_ms == sample_record(0).timing.total_ms);
  again.score.flexible.correct = false;
  write_bytes(folder.path() / "trials.jsonl", trials + to_json(again).dump() + "\n");
  CHECK_THAT(error_of([&] { read_run(folder.path()); }), Catch::Contains("doc 0 repeat 0"));
}

TEST_CASE("A failed trial is asked again, and its later record counts") {
  const TemporaryFolder folder;
  TrialRecord failed = sample_record(0);
  failed.outcome = Outcome::failed;
  failed.error = "connection reset";
  {
    RunJournal journal(folder.path(), sample_manifest());
    journal.append(failed, sample_transcript(0));
    journal.append(failed, sample_transcript(0));
    journal.append(sample_record(1), sample_transcript(1));
    journal.commit();
    CHECK(journal.run().trials.size() == 2);
  }
  {
    RunJournal journal(folder.path(), sample_manifest());
    REQUIRE(journal.run().trials[0].outcome == Outcome::failed);
    journal.append(sample_record(0), sample_transcript(0));
    CHECK(journal.run().trials[0].outcome == Outcome::stop);
    CHECK_THROWS_AS(journal.append(sample_record(0), sample_transcript(0)), std::logic_error);
  }
  const RunRecord run = read_run(folder.path());
  REQUIRE(run.trials.size() == 2);
  CHECK(run.trials[0].outcome == Outcome::stop);
  CHECK(read_transcript(run, run.trials[0]).content == sample_transcript(0).content);
}

TEST_CASE("A cancelled trial, or one with another's transcript, is not recorded") {
  const TemporaryFolder folder;
  RunJournal journal(folder.path(), sample_manifest());
  TrialRecord cancelled = sample_record(0);
  cancelled.outcome = Outcome::cancelled;
  CHECK_THROWS_AS(journal.append(cancelled, sample_transcript(0)), std::logic_error);
  CHECK_THROWS_AS(journal.append(sample_record(0), sample_transcript(1)), std::logic_error);
  CHECK(bytes_of(folder.path() / "trials.jsonl").empty());
  CHECK(bytes_of(folder.path() / "transcripts.jsonl").empty());
}

TEST_CASE("A second writer is kept out until the first one ends, however it ends") {
  const TemporaryFolder folder;
  const auto locked = [&] { return error_of([&] { RunJournal(folder.path(), sample_manifest()); }); };
  {
    const RunJournal journal(folder.path(), sample_manifest());
    CHECK_THAT(locked(), Catch::Contains("is in use by process " + std::to_string(::getpid())));
    CHECK_THAT(error_of([&] { rewrite_trials(folder.path(), {}); }), Catch::Contains("in use"));
    CHECK(read_run(folder.path()).trials.empty());  // reading needs no lock
    CHECK(in_child([&] { return !locked().empty(); }));
  }
  CHECK(locked().empty());

  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    const RunJournal journal(folder.path(), sample_manifest());
    const char byte = 1;
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THAT(locked(), Catch::Contains("process " + std::to_string(holder)));
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  CHECK(locked().empty());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("Another run's folder is refused with the fields that differ") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0});
  const std::string before = bytes_of(folder.path() / "run.json");
  Manifest other = sample_manifest();
  other.sampling.min_p = 0.1;
  other.sampling.top_k.reset();
  other.runner.build = "b11500";
  other.runner.server_defaults["xtc_probability"] = "0.5";
  const std::string text = error_of([&] { RunJournal(folder.path(), other); });
  CHECK_THAT(text, Catch::Contains("sampling.min_p: stored 0.05, now 0.1"));
  CHECK_THAT(text, Catch::Contains("sampling.top_k: stored 64, now absent"));
  CHECK_THAT(text, Catch::Contains("runner.build: stored 'b11434', now 'b11500'"));
  CHECK_THAT(text, Catch::Contains("runner.server_defaults.xtc_probability: stored absent, now '0.5'"));
  CHECK(differences(sample_manifest(), other).size() == 4);
  CHECK(differences(other, other).empty());
  CHECK(bytes_of(folder.path() / "run.json") == before);
}

TEST_CASE("Going on elsewhere keeps the start and takes the new places") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0});
  Manifest moved = sample_manifest();
  moved.created = "2030-01-01T00:00:00Z";
  moved.reference = true;
  moved.runner.url = "http://other:1";
  moved.runner.notes = {"a new note"};
  const RunJournal journal(folder.path(), moved);
  const Manifest kept = read_run(folder.path()).manifest;
  CHECK(kept.created == sample_manifest().created);
  CHECK(kept.reference);
  CHECK(kept.runner.url == "http://other:1");
  CHECK(kept.runner.notes.size() == 2);
  CHECK(to_json(journal.run().manifest) == to_json(kept));
}

TEST_CASE("A full disk is reported, keeps every earlier record, and the run can go on") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0, 1});
  const std::size_t trials = bytes_of(folder.path() / "trials.jsonl").size();
  const std::size_t transcripts = bytes_of(folder.path() / "transcripts.jsonl").size();
  const std::size_t transcript_line = to_json(sample_transcript(2)).dump().size() + 1;
  // The limit cuts a file at any byte of its new line, first in the transcript, then in the record.
  Transcript small = sample_transcript(2);
  small.prompt = small.reasoning = small.content = "";
  small.raw.reset();
  CHECK(in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    RunJournal journal(folder.path(), sample_manifest());
    const auto limit = [](std::size_t bytes) {
      const rlimit value{bytes, RLIM_INFINITY};
      return ::setrlimit(RLIMIT_FSIZE, &value) == 0;
    };
    const auto fails = [&](const Transcript& transcript) {
      try {
        journal.append(sample_record(2), transcript);
      } catch (const std::runtime_error& error) {
        return std::string(error.what()).find("can't be written") != std::string::npos &&
               bytes_of(folder.path() / "trials.jsonl").size() == trials &&
               bytes_of(folder.path() / "transcripts.jsonl").size() == transcripts;
      }
      return false;
    };
    for (std::size_t more = 0; more < transcript_line; more += 7)
      if (!limit(transcripts + more) || !fails(sample_transcript(2))) return false;
    // trials.jsonl is the longer file here, so its line is what the limit cuts.
    for (std::size_t more = 0; more < 300; more += 7)
      if (!limit(trials + more) || !fails(small)) return false;
    if (!limit(RLIM_INFINITY)) return false;
    journal.append(sample_record(2), sample_transcript(2));
    journal.commit();
    return true;
  }));
  const RunRecord run = read_run(folder.path());
  REQUIRE(run.trials.size() == 3);
  CHECK(read_transcript(run, run.trials[2]).content == sample_transcript(2).content);
}

TEST_CASE("Answers that come together share a commit, and one that fails loses none of them") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0});
  CHECK(in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    RunJournal journal(folder.path(), sample_manifest());
    journal.append(sample_record(1), sample_transcript(1));  // alone: on disk at once
    if (read_run(folder.path()).trials.size() != 2) return false;
    journal.append(sample_record(2), sample_transcript(2));
    journal.append(sample_record(3), sample_transcript(3));
    if (read_run(folder.path()).trials.size() != 2 || journal.run().trials.size() != 2) return false;
    const rlimit full{bytes_of(folder.path() / "transcripts.jsonl").size(), RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &full) != 0) return false;
    try {
      journal.commit();
      return false;
    } catch (const std::runtime_error& error) {
      if (std::string(error.what()).find("can't be written") == std::string::npos) return false;
    }
    const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &none) != 0) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    journal.commit_due();
    return read_run(folder.path()).trials.size() == 4 && journal.run().trials.size() == 4;
  }));
  const RunRecord run = read_run(folder.path());
  REQUIRE(run.trials.size() == 4);
  for (const auto& trial : run.trials)
    CHECK(read_transcript(run, trial).content == sample_transcript(trial.id.doc_id).content);
}

TEST_CASE("A change of who answers is taken over if it is named, and noted where it came") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0, 1});
  Manifest upgraded = sample_manifest();
  upgraded.runner.build = "b99999";
  upgraded.runner.server_defaults["min_p"] = "0.9";
  const auto open = [&](const Manifest& manifest, std::vector<std::string> accept) {
    return error_of([&] { RunJournal(folder.path(), manifest, accept); });
  };
  CHECK_THAT(open(upgraded, {}), Catch::Contains("runner.build: stored 'b11434', now 'b99999'") &&
                                     Catch::Contains("--accept-change FIELD"));
  CHECK_THAT(open(upgraded, {"runner.build"}), Catch::Contains("runner.server_defaults.min_p"));
  CHECK_THAT(open(upgraded, {"sampling.min_p"}), Catch::Contains("what is asked"));
  Manifest otherwise = upgraded;
  otherwise.sampling.max_tokens += 1;
  CHECK_THAT(open(otherwise, {"runner.build", "runner.server_defaults"}),
             Catch::Contains("sampling.max_tokens") && !Catch::Contains("--accept-change"));
  CHECK(to_json(read_run(folder.path()).manifest) == to_json(sample_manifest()));

  for (int twice = 0; twice < 2; ++twice)  // the same command again changes nothing more
    CHECK(open(upgraded, {"runner.build", "runner.server_defaults"}).empty());
  const auto manifest = read_run(folder.path()).manifest;
  CHECK(manifest.runner.build == "b99999");
  REQUIRE(manifest.history.size() == 2);
  CHECK(manifest.history[0].at_trials == 2);
  CHECK_THAT(manifest.history[0].what, Catch::Contains("runner.build") && Catch::Contains("b99999"));
  CHECK_THAT(manifest.history[1].what, Catch::Contains("min_p"));
  CHECK(open(upgraded, {}).empty());
}

TEST_CASE("What befalls a run is noted with the trials that stood before it") {
  const TemporaryFolder folder;
  {
    RunJournal journal(folder.path(), sample_manifest());
    journal.append(sample_record(0), sample_transcript(0));
    journal.append(sample_record(1), sample_transcript(1));
    journal.note("the server was started again");
  }
  const auto run = read_run(folder.path());
  REQUIRE(run.manifest.history.size() == 1);
  CHECK(run.manifest.history[0].at_trials == 2);
  CHECK(run.manifest.history[0].what == "the server was started again");
  CHECK(run.manifest.history[0].time.size() == 20);
  CHECK(identity(run.manifest) == identity(sample_manifest()));
}

TEST_CASE("A transcript that was changed, cut or mixed up is refused") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0, 1});
  const RunRecord run = read_run(folder.path());
  const std::string transcripts = bytes_of(folder.path() / "transcripts.jsonl");
  const auto error = [&](const TrialRecord& record) {
    return error_of([&] { read_transcript(run, record); });
  };

  std::string changed = transcripts;
  changed[changed.find("(C)")] = '[';
  write_bytes(folder.path() / "transcripts.jsonl", changed);
  CHECK_THAT(error(run.trials[0]), Catch::Contains("SHA-256"));
  CHECK(error(run.trials[1]).empty());

  write_bytes(folder.path() / "transcripts.jsonl", transcripts.substr(0, transcripts.size() - 1));
  CHECK_THAT(error(run.trials[1]), Catch::Contains("ends at byte"));
  CHECK_THAT(error_of([&] { RunJournal(folder.path(), sample_manifest()); }),
             Catch::Contains("transcripts.jsonl"));

  write_bytes(folder.path() / "transcripts.jsonl", transcripts);
  TrialRecord mixed = run.trials[0];
  mixed.id = {1, 0};
  CHECK_THAT(error(mixed), Catch::Contains("found that of doc 0"));
  mixed = run.trials[0];
  mixed.transcript_offset = std::uint64_t{1} << 62;
  CHECK_FALSE(error(mixed).empty());
  mixed.transcript_offset = 0;
  mixed.transcript_bytes = std::uint64_t{1} << 62;
  CHECK_FALSE(error(mixed).empty());
  mixed.transcript_bytes = 0;
  CHECK_FALSE(error(mixed).empty());
}

TEST_CASE("Rescored records replace the journal in one step") {
  const TemporaryFolder folder;
  append_records(folder.path(), {0, 1});
  auto trials = read_run(folder.path()).trials;
  trials[1].score.strict = {"(C", true};
  std::swap(trials[0], trials[1]);
  rewrite_trials(folder.path(), trials);
  const RunRecord run = read_run(folder.path());
  REQUIRE(run.trials.size() == 2);
  CHECK_FALSE(run.trials[0].score.strict.correct);
  CHECK(run.trials[1].score.strict.correct);
  CHECK(read_transcript(run, run.trials[1]).content == sample_transcript(1).content);
  append_records(folder.path(), {2});
  CHECK(read_run(folder.path()).trials.size() == 3);
  trials.push_back(trials[0]);
  CHECK_THROWS_AS(rewrite_trials(folder.path(), trials), std::logic_error);
  CHECK(read_run(folder.path()).trials.size() == 3);
}

TEST_CASE("A folder without a run, or with half of one, is refused") {
  const TemporaryFolder folder;
  CHECK_THAT(error_of([&] { read_run(folder.path()); }), Catch::Contains("holds no run"));
  CHECK_THAT(error_of([&] { read_run(folder.path() / "none"); }), Catch::Contains("holds no run"));
  write_bytes(folder.path() / "trials.jsonl", "");
  CHECK_THAT(error_of([&] { RunJournal(folder.path(), sample_manifest()); }), Catch::Contains("no run.json"));
  for (const char* text : {"", "{", "[]", "{}", "\xff", "nan"}) {
    write_bytes(folder.path() / "run.json", text);
    CHECK_THAT(error_of([&] { read_run(folder.path()); }), Catch::Contains("run.json"));
  }
  write_bytes(folder.path() / "run.json", std::string(200'000, '['));
  CHECK_THAT(error_of([&] { read_run(folder.path()); }), Catch::Contains("run.json"));
  write_bytes(folder.path() / "file", "");
  CHECK_THAT(error_of([&] { RunJournal(folder.path() / "file", sample_manifest()); }),
             Catch::Contains("not a folder"));
}

}  // namespace gpqa
