#include "harness/run_folders.h"

#include <fstream>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace gpqa;

namespace {

std::string make_run(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "run.json") << "{}";
  return folder.string();
}

}  // namespace

TEST_CASE("a plan's folder stands for the runs in it, by name") {
  const TemporaryFolder top;
  make_run(top.path() / "card/98e");
  make_run(top.path() / "card/128e");
  std::filesystem::create_directories(top.path() / "card/notes");
  const auto single = make_run(top.path() / "other/x");
  const std::vector<std::string> names = {single, (top.path() / "card").string()};
  const auto runs = find_runs(names);
  REQUIRE(runs.size() == 3);
  CHECK(runs[0] == single);
  CHECK(runs[1].filename() == "128e");
  CHECK(runs[2].filename() == "98e");
  CHECK(find_run((top.path() / "other").string()) == single);
  CHECK_THROWS_WITH(find_run((top.path() / "card").string()), Catch::Matchers::Contains("holds 2 runs"));
}

TEST_CASE("a folder without a run, and no folder at all, are told apart") {
  const TemporaryFolder top;
  const std::vector<std::string> empty = {top.path().string()};
  CHECK_THROWS_WITH(find_runs(empty), Catch::Matchers::Contains("holds no run"));
  make_run(top.path() / "runs/card/98e");
  const std::vector<std::string> above = {(top.path() / "runs").string()};
  CHECK_THROWS_WITH(find_runs(above),
                    Catch::Matchers::Contains("did you mean '" + (top.path() / "runs/card").string()));
  const std::vector<std::string> missing = {(top.path() / "nowhere").string()};
  CHECK_THROWS_WITH(find_runs(missing), Catch::Matchers::Contains("no such folder"));
}

TEST_CASE("what is to be pasted into a shell is quoted where it must be") {
  CHECK(shell_quote("runs/card/98e") == "runs/card/98e");
  CHECK(shell_quote("runs/98e v3") == "'runs/98e v3'");
  CHECK(shell_quote("it's") == "'it'\\''s'");
  CHECK(shell_quote("$(rm)") == "'$(rm)'");
  CHECK(shell_quote("") == "''");
}
