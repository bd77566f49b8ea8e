#include "runners/model_files/output_folder.h"

#include <fstream>
#include <optional>
#include <string>

#include "prompts/input_error.h"
#include "runners/model_files/disk_space.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

namespace gpqa {
namespace {

using gpqa_test::contents;
namespace fs = std::filesystem;

bool ours(std::string_view name) {
  return name == "a" || name == "b";
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST_CASE("a folder has its name only when it is finished") {
  const TemporaryFolder folder;
  const auto target = folder.path() / "out";
  {
    OutputFolder out(target.string() + "/", ours);
    write(out.path() / "a", "x");
    CHECK_FALSE(fs::exists(target));
    out.finish();
  }
  CHECK(contents(target / "a") == "x");
  CHECK_FALSE(fs::exists(folder.path() / "out.part"));
  CHECK_THROWS_WITH(OutputFolder(target, ours), Catch::Matchers::Contains("is there already"));
}

TEST_CASE("a folder that isn't finished is gone, and one that was left is used up") {
  const TemporaryFolder folder;
  const auto target = folder.path() / "out";
  {
    OutputFolder out(target, ours);
    write(out.path() / "a", "x");
  }
  CHECK(fs::is_empty(folder.path()));
  fs::create_directory(folder.path() / "out.part");
  write(folder.path() / "out.part/b.part", "half");
  OutputFolder out(target, ours);
  CHECK(fs::is_empty(out.path()));
  CHECK_THROWS_WITH(OutputFolder(target, ours), Catch::Matchers::Contains("another process is writing it"));
  // What came into being meanwhile is not replaced.
  fs::create_directory(target);
  write(target / "mine", "m");
  CHECK_THROWS_WITH(out.finish(), Catch::Matchers::Contains("File exists"));
  CHECK(contents(target / "mine") == "m");
}

TEST_CASE("files in the way that aren't ours stay") {
  const TemporaryFolder folder;
  const auto part = folder.path() / "out.part";
  fs::create_directory(part);
  write(part / "a", "left");
  write(part / "c", "mine");
  CHECK_THROWS_AS(OutputFolder(folder.path() / "out", ours), InputError);
  CHECK(contents(part / "a") == "left");
  CHECK(contents(part / "c") == "mine");
  fs::remove_all(part);
  write(part, "a file");
  CHECK_THROWS_AS(OutputFolder(folder.path() / "out", ours), InputError);
  fs::remove(part);
  fs::create_directory(folder.path() / "elsewhere");
  write(folder.path() / "elsewhere/a", "mine");
  fs::create_directory_symlink(folder.path() / "elsewhere", part);
  CHECK_THROWS_AS(OutputFolder(folder.path() / "out", ours), InputError);
  CHECK(contents(folder.path() / "elsewhere/a") == "mine");
}

TEST_CASE("a disk that has no room says so with both numbers") {
  const TemporaryFolder folder;
  CHECK_NOTHROW(require_space(folder.path() / "x", 1));
  CHECK_THROWS_WITH(require_space(folder.path() / "x", std::uint64_t{1} << 62),
                    Catch::Matchers::Contains("x: 4611686018427387904 bytes can't be written there"));
}

}  // namespace
}  // namespace gpqa
