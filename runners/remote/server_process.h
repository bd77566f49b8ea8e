// A server of our own: started, watched, and never left behind.
#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace gpqa {

struct ProcessOptions {
  std::vector<std::string> command;  // the program (a path, or a name in PATH) and its arguments
  std::vector<std::pair<std::string, std::string>> environment;  // on top of ours; keys go here, not there
  std::filesystem::path log;  // gets what it prints, behind what is there; readable by its owner only
  double stop_grace_s = 10;   // from SIGTERM to SIGKILL
};

// Between us and the server stands a keeper: a process that ends the server, and whatever it has started in
// its process group, as soon as we are gone, however we end (a kill -9 included). A Ctrl-C at the terminal
// reaches neither of them.
class ServerProcess {
 public:
  // Throws InputError if there is no such program or it can't be started.
  explicit ServerProcess(ProcessOptions options);
  ~ServerProcess();  // stops it
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  bool running();
  // "ended with exit code 1", "was killed by signal 9"; "" while it runs.
  const std::string& ending();
  void start();  // again, after it ended
  void stop();
  const std::filesystem::path& log() const { return options_.log; }

 private:
  void read_report(int timeout_ms);

  ProcessOptions options_;
  pid_t keeper_ = -1;
  int life_ = -1;    // closed: the keeper ends the server
  int report_ = -1;  // the keeper says how it ended
  std::string ending_;
};

// A port of the loopback that nobody listens on: `wanted`, or any for 0. Throws InputError where it is taken.
int free_port(int wanted = 0);

// What the server printed last, for an error: at most `lines` lines of the log's end.
std::string last_lines(const std::filesystem::path& log, std::size_t lines);

}  // namespace gpqa
