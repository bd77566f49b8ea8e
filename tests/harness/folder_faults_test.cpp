// What can befall a run's folder: each time a clear text, and nothing that was kept is damaged.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "results/run_files.h"
#include "tests/catch.h"
#include "tests/harness/run_line.h"
#include "tests/harness/shell.h"
#include "tests/harness/small_disk.h"
#include "tests/support/fixed_answer_server.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa::test::FixedAnswerOptions;
using gpqa::test::FixedAnswerServer;
using gpqa_test::contents;
using gpqa_test::kSyntheticCsv;
using gpqa_test::run_line;
using gpqa_test::Shell;
using gpqa_test::SmallDisk;

namespace fs = std::filesystem;

TEST_CASE("a disk that runs full ends the run with its reason; what was kept is whole, and the run goes on") {
  FixedAnswerOptions options;
  options.deltas = 60;
  options.delay_ms = 1;  // several groups of answers come before the disk is full
  const FixedAnswerServer server(options);
  const Shell gpqa;
  const auto line = run_line(server, "--name a --limit 60");
  const auto folder = gpqa.folder.path() / "runs/a/a";
  const SmallDisk disk(gpqa.folder.path() / "runs", "size=96k");
  // Where none can be mounted, a limit on the size of files stands for it.
  const auto full = disk.mounted() ? gpqa(line) : gpqa(line, "/dev/null", "ulimit -f 96; ");
  INFO(full.out << full.err);
  CHECK(full.code == 1);
  CHECK_THAT(full.err, Contains("jsonl: can't be written: ") &&
                           Contains(disk.mounted() ? "No space left on device" : "File too large"));
  const auto kept = read_run(folder).trials;
  CHECK(kept.size() > 5);
  CHECK(kept.size() < 60);
  CHECK(gpqa("doctor runs/a/a").code == 0);
  if (disk.mounted()) REQUIRE(disk.remount("size=10m"));
  REQUIRE(gpqa(line).code == 0);
  const auto whole = read_run(folder);
  REQUIRE(whole.trials.size() == 60);
  for (const auto& record : kept) CHECK(to_json(record) == to_json(whole.trials.at(record.id.doc_id)));
}

TEST_CASE("a folder that can't be written is said before anything is asked") {
  const FixedAnswerServer server({});
  const Shell gpqa;
  const auto answered = server.answered();
  const auto nowhere = gpqa(run_line(server, "--name a --limit 3 --out /proc/none"));
  CHECK(nowhere.code == 2);
  CHECK_THAT(nowhere.err, Contains("/proc/none"));
  CHECK(server.answered() == answered);

  const SmallDisk disk(gpqa.folder.path() / "runs", "size=10m");
  REQUIRE(gpqa(run_line(server, "--name a --limit 3")).code == 0);
  if (disk.mounted()) {
    REQUIRE(disk.remount_read_only("size=10m"));
    // Reading needs no writing.
    CHECK(gpqa("compare runs/a").code == 0);
    CHECK(gpqa("doctor runs/a/a").code == 0);
    const auto refused = gpqa(run_line(server, "--name a --limit 4 --out runs/b"));
    CHECK(refused.code == 2);
    CHECK_THAT(refused.err, Contains("Read-only file system"));
  }
}

TEST_CASE("two runs on one folder: the second is told who has it, the first goes on") {
  FixedAnswerOptions options;
  options.deltas = 60;
  options.delay_ms = 2;
  const FixedAnswerServer server(options);
  const Shell first;
  const Shell second;
  const auto out = first.folder.path() / "shared";
  const auto line = run_line(server, "--name a --limit 20 --out " + out.string());
  const pid_t running = first.start(line);
  for (int i = 0; i < 1000 && contents(out / "a/trials.jsonl").empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const auto refused = second(line);
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, Contains("is in use by process " + std::to_string(running)));
  CHECK(first.wait(running).code == 0);
  CHECK(read_run(out / "a").trials.size() == 20);
}

TEST_CASE("a clock that is set back changes nothing") {
  const FixedAnswerServer server({});
  const Shell gpqa;
  REQUIRE(gpqa(run_line(server, "--name a --limit 6")).code == 0);
  const auto folder = gpqa.folder.path() / "runs/a/a";
  auto manifest = read_manifest(folder);
  manifest.created = "2199-01-01T00:00:00Z";
  write_manifest(folder, manifest);
  const auto trials = contents(folder / "trials.jsonl");
  gpqa.write("runs/a/a/trials.jsonl", trials.substr(0, trials.find('\n') + 1));
  fs::last_write_time(folder / "trials.jsonl", fs::file_time_type::clock::now() + std::chrono::hours(100000));
  CHECK(gpqa(run_line(server, "--name a --limit 6")).code == 0);
  CHECK(read_run(folder).trials.size() == 6);
  CHECK(read_run(folder).manifest.created == "2199-01-01T00:00:00Z");
  CHECK(gpqa("compare runs/a").code == 0);
}

TEST_CASE("a plan or a data set that was changed in the middle of a run is refused, field by field") {
  const FixedAnswerServer server({});
  const Shell gpqa;
  const auto csv = contents(kSyntheticCsv);
  gpqa.write("q.csv", csv);
  const auto plan = [&](const std::string& more) {
    gpqa.write("p.toml", "dataset = \"q.csv\"\ntask = { limit = 6 }\n" + more +
                             "[[variant]]\nname = \"a\"\nserver = { url = \"" + server.url() + "\" }\n");
  };
  plan("");
  REQUIRE(gpqa("run --plan p.toml").code == 0);
  const auto folder = gpqa.folder.path() / "runs/p/a";
  const auto trials = contents(folder / "trials.jsonl");
  const auto half = trials.substr(0, trials.find('\n') + 1);
  gpqa.write("runs/p/a/trials.jsonl", half);
  const auto before = contents(folder / "run.json");
  const auto refused = [&](const std::string& words) {
    INFO(words);
    const auto answered = server.answered();
    const auto result = gpqa("run --plan p.toml");
    CHECK(result.code == 2);
    CHECK_THAT(result.err, Contains(words) && Contains("--out"));
    CHECK(server.answered() == answered);
    CHECK(contents(folder / "trials.jsonl") == half);
    CHECK(contents(folder / "run.json") == before);
  };
  plan("[sampling]\ntemperature = 0.5\n");
  refused("sampling.temperature: 1.0 there, 0.5 now");
  plan("repeats = 2\n");
  refused("trials.repeats: 1 there, 2 now");
  plan("");
  auto other = csv;
  other.replace(other.find('\n', csv.size() / 2), 1, " \n");
  gpqa.write("q.csv", other);
  refused("dataset.sha256");
  gpqa.write("q.csv", csv);
  CHECK(gpqa("run --plan p.toml").code == 0);
  CHECK(contents(folder / "trials.jsonl").starts_with(half));
  CHECK(read_run(folder).trials.size() == 6);
}
