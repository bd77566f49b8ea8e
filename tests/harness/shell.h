// Runs the program as people do, and keeps what it says.
#pragma once

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/run_folders.h"
#include "tests/temporary_folder.h"

namespace gpqa_test {

struct Result {
  int code;
  std::string out;
  std::string err;
};

// Runs the program in a folder of its own.
struct Shell {
  gpqa::TemporaryFolder folder;

  Result operator()(const std::string& arguments, const std::string& input = "/dev/null",
                    const std::string& first = "") const {
    return wait(start(arguments, input, first));
  }

  // The program itself, not a shell around it: signals reach it. `first`: what the shell does before.
  pid_t start(const std::string& arguments, const std::string& input = "/dev/null",
              const std::string& first = "") const {
    const auto command = first + "cd " + folder.path().string() + " && exec " +
                         gpqa::shell_quote(GPQA_BINARY) + " " + arguments + " <" + input + " >" + out() +
                         " 2>" + err();
    // A signal that comes between fork and exec is for the program, not for Catch's handler.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = fork();
    if (pid != 0) pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid == 0) {
      for (const int number : {SIGINT, SIGTERM}) std::signal(number, SIG_DFL);
      sigprocmask(SIG_SETMASK, &before, nullptr);
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    return pid;
  }

  Result wait(pid_t pid) const {
    int status = 0;
    waitpid(pid, &status, 0);
    // As shells say it: 128 and the signal.
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, contents(out()), contents(err())};
  }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder.path() / name, std::ios::binary) << text;
    return (folder.path() / name).string();
  }

 private:
  std::string out() const { return (folder.path() / "stdout").string(); }
  std::string err() const { return (folder.path() / "stderr").string(); }
};

}  // namespace gpqa_test
