// Servers of our own never outlive us.
#include "runners/remote/server_process.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"
#include "tests/within.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::within;

struct Shell {
  TemporaryFolder folder;
  fs::path log = folder.path() / "server.log";

  ProcessOptions options(const std::string& script) const {
    ProcessOptions options;
    options.command = {"sh", "-c", script, "server", (folder.path() / "pid").string()};
    options.log = log;
    options.stop_grace_s = 0.3;
    return options;
  }
  // That the script wrote as `echo $$ >$1`.
  pid_t pid() const {
    REQUIRE(within(5, [&] { return contents(folder.path() / "pid").ends_with('\n'); }));
    return std::stoi(contents(folder.path() / "pid"));
  }
};

bool lives(pid_t pid) {
  // A process that ended and that nobody has waited for is dead all the same.
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const auto name_end = text.rfind(')');
  return name_end != std::string::npos && text.at(name_end + 2) != 'Z';
}

TEST_CASE("a server's output is kept, and how it ended is told") {
  const Shell shell;
  ServerProcess process(shell.options("echo out; echo err >&2; exit 3"));
  REQUIRE(within(5, [&] { return !process.running(); }));
  CHECK(process.ending() == "ended with exit code 3");
  CHECK(contents(shell.log) == "out\nerr\n");
  process.start();
  REQUIRE(within(5, [&] { return !process.running(); }));
  CHECK(contents(shell.log) == "out\nerr\nout\nerr\n");
  CHECK(last_lines(shell.log, 1) == "err");
  CHECK(last_lines(shell.log, 3) == "err\nout\nerr");
  CHECK(last_lines(shell.log, 30) == "out\nerr\nout\nerr");
  CHECK(last_lines(shell.folder.path() / "none", 3).empty());
  CHECK(fs::status(shell.log).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("a server that is killed is noticed, and can be started again") {
  const Shell shell;
  ServerProcess process(shell.options("echo $$ >$1; exec sleep 100"));
  const pid_t first = shell.pid();
  CHECK(process.running());
  kill(first, SIGKILL);
  REQUIRE(within(5, [&] { return !process.running(); }));
  CHECK(process.ending() == "was killed by signal 9");
  fs::remove(shell.folder.path() / "pid");
  process.start();
  CHECK(process.running());
  CHECK(shell.pid() != first);
}

TEST_CASE("a server is stopped with all that it started, even if it won't") {
  const Shell shell;
  pid_t server = 0;
  pid_t child = 0;
  {
    const ServerProcess process(shell.options(
        "trap '' TERM; sleep 100 & echo $! >$1.child; echo $$ >$1; while :; do sleep 0.05; done"));
    server = shell.pid();
    child = std::stoi(contents(shell.folder.path() / "pid.child"));
    CHECK(lives(server));
    CHECK(lives(child));
  }
  CHECK_FALSE(lives(server));
  CHECK(within(5, [&] { return !lives(child); }));
}

TEST_CASE("what a server started and left behind when it ended by itself is ended too") {
  const Shell shell;
  ServerProcess process(shell.options("sleep 100 & echo $! >$1.child; echo $$ >$1; exit 0"));
  shell.pid();
  const pid_t child = std::stoi(contents(shell.folder.path() / "pid.child"));
  REQUIRE(within(5, [&] { return !process.running(); }));
  CHECK(within(5, [&] { return !lives(child); }));
}

TEST_CASE("a server that can end in order is given the time to") {
  const Shell shell;
  {
    auto options = shell.options("trap 'echo saved; exit 0' TERM; echo $$ >$1; while :; do sleep 0.02; done");
    options.stop_grace_s = 10;
    const ServerProcess process(options);
    shell.pid();
  }
  CHECK_THAT(contents(shell.log), Contains("saved"));
}

TEST_CASE("a server dies with us when we are killed, and holds nothing of ours open") {
  const Shell shell;
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  const pid_t we = ::fork();
  if (we == 0) {
    const ServerProcess process(shell.options("sleep 100 & echo $! >$1.child; echo $$ >$1; wait"));
    for (;;) ::pause();
  }
  const pid_t server = shell.pid();
  const pid_t child = std::stoi(contents(shell.folder.path() / "pid.child"));
  CHECK(lives(server));
  ::kill(we, SIGKILL);
  ::waitpid(we, nullptr, 0);
  ::close(pipe_ends[1]);
  char byte = 0;
  CHECK(::read(pipe_ends[0], &byte, 1) == 0);  // else the keeper or the server would hold the other end
  ::close(pipe_ends[0]);
  CHECK(within(5, [&] { return !lives(server) && !lives(child); }));
}

TEST_CASE("a key reaches the server by its environment, where ps doesn't show it") {
  const Shell shell;
  auto options = shell.options("echo \"$KEY\"; tr '\\0' ' ' </proc/$$/cmdline");
  options.environment = {{"KEY", "secret-1"}};
  ServerProcess process(options);
  REQUIRE(within(5, [&] { return !process.running(); }));
  const auto text = contents(shell.log);
  CHECK(text.starts_with("secret-1\n"));
  CHECK_THAT(text.substr(9), !Contains("secret-1"));
}

TEST_CASE("a program that isn't there is said before anything is started") {
  const Shell shell;
  ProcessOptions options;
  options.log = shell.log;
  options.command = {"llama-server-that-is-not-there"};
  CHECK_THROWS_WITH(ServerProcess(options), Contains("not found in PATH"));
  options.command = {"/none/llama-server"};
  CHECK_THROWS_WITH(ServerProcess(options), Contains("no such program"));
  options.command = {"sh"};
  options.log = "/none/server.log";
  CHECK_THROWS_WITH(ServerProcess(options), Contains("log can't be written"));
  // A file that the kernel can't execute.
  const auto broken = shell.folder.path() / "broken";
  std::ofstream(broken) << std::string("\x7f") + "ELF nonsense";
  fs::permissions(broken, fs::perms::owner_all);
  options.log = shell.log;
  options.command = {broken.string()};
  ServerProcess process(options);
  REQUIRE(within(5, [&] { return !process.running(); }));
  CHECK_THAT(process.ending(), Contains("can't be started"));
}

}  // namespace
}  // namespace gpqa
