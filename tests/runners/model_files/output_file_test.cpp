#include "runners/model_files/output_file.h"

#include <csignal>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

namespace gpqa {
namespace {

using gpqa_test::contents;
namespace fs = std::filesystem;

// No file of this process may grow beyond `bytes`: writing fails, as on a disk that is full.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileLimit(const FileLimit&) = delete;
  FileLimit& operator=(const FileLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST_CASE("a file has its name, and others may read it, only when it is whole") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "model.gguf";
  std::string expected;
  {
    OutputFile file(path, 0);
    for (const std::size_t size : {0u, 1u, 1000u, 3u << 20, 7u}) {  // below and above what is buffered
      const std::string piece(size, static_cast<char>('a' + expected.size() % 26));
      file.write(piece);
      expected += piece;
    }
    file.align(64);
    expected.resize((expected.size() + 63) / 64 * 64);
    CHECK(file.size() == expected.size());
    file.sync();
    CHECK_FALSE(fs::exists(path));
    file.finish();
  }
  CHECK(contents(path) == expected);
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
  const auto mask = ::umask(0);
  ::umask(mask);
  CHECK(static_cast<unsigned>(fs::status(path).permissions()) == (0666 & ~mask));
}

TEST_CASE("a file that is there is refused, and stays as it is") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "model.gguf";
  std::ofstream(path) << "mine";
  CHECK_THROWS_WITH(OutputFile(path, 0), Catch::Contains("model.gguf: is there already"));
  const auto link = folder.path() / "link.gguf";
  fs::create_symlink("nowhere", link);
  CHECK_THROWS_WITH(OutputFile(link, 0), Catch::Contains("is there already"));
  CHECK_THROWS_WITH(OutputFile(folder.path() / "no" / "model.gguf", 0), Catch::Contains("No such file"));
  // It comes into being while ours is written.
  OutputFile file(folder.path() / "late.gguf", 0);
  std::ofstream(file.target()) << "theirs";
  CHECK_THROWS_WITH(file.finish(), Catch::Contains("File exists"));
  CHECK(contents(path) == "mine");
  CHECK(contents(file.target()) == "theirs");
}

TEST_CASE(
    "a part that was left is taken over, one that is being written is not, nor one that leads elsewhere") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "model.gguf";
  const auto part = folder.path() / "model.gguf.part";
  std::ofstream(part) << "what a killed process left, longer than the new file";
  {
    OutputFile file(path, 0);
    CHECK_THROWS_WITH(OutputFile(path, 0), Catch::Contains("another process is writing it"));
    file.write("new");
    file.finish();
  }
  CHECK(contents(path) == "new");
  fs::remove(path);
  std::ofstream(folder.path() / "secret") << "kept";
  fs::create_symlink("secret", part);
  CHECK_THROWS_AS(OutputFile(path, 0), InputError);
  CHECK(contents(folder.path() / "secret") == "kept");
}

TEST_CASE("a disk that runs full is named, at once where it can be known, and nothing is left") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "model.gguf";
  {
    const FileLimit limit(1 << 20);
    std::optional<OutputFile> file(std::in_place, path, 0);
    const std::string piece(3 << 19, 'x');
    const auto write_all = [&] {
      file->write(piece);
      file->finish();
    };
    CHECK_THROWS_WITH(write_all(), Catch::Contains("model.gguf: can't be written: File too large"));
    file.reset();
    CHECK(fs::is_empty(folder.path()));
  }
  // More than any disk has.
  CHECK_THROWS_WITH(OutputFile(path, std::uint64_t{1} << 62),
                    Catch::Contains("bytes can't be written there"));
  CHECK(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace gpqa
