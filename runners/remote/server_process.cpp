#include "runners/remote/server_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "prompts/input_error.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX has it declared by the program

namespace gpqa {
namespace {

namespace fs = std::filesystem;

struct Report {
  enum class Kind : int { not_started, ended };
  Kind kind;
  int value;  // errno, or what waitpid says
};

std::string reason(int error) {
  return std::generic_category().message(error);
}

fs::path find_program(const std::string& name) {
  const auto runnable = [](const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) {
    if (!runnable(name))
      throw InputError(fmt::format("server command '{}': no such program, or it can't be executed", name));
    return name;
  }
  const char* path = std::getenv("PATH");
  std::string_view left = path == nullptr ? "" : path;
  while (!left.empty()) {
    const auto end = std::min(left.find(':'), left.size());
    if (fs::path found = fs::path(left.substr(0, end)) / name; end > 0 && runnable(found)) return found;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  throw InputError(fmt::format(
      "server command '{}': not found in PATH; install llama.cpp, or write the program's whole path", name));
}

// Pointers into `texts`, ending in null, as exec wants them.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::string> all;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view text(*each);
    const auto name = text.substr(0, text.find('='));
    if (std::none_of(more.begin(), more.end(), [&](const auto& pair) { return pair.first == name; }))
      all.emplace_back(text);
  }
  for (const auto& [name, value] : more) all.push_back(fmt::format("{}={}", name, value));
  return all;
}

// What the keeper and the server need, made before the fork: after it, only what a signal handler may do is
// allowed, as another thread of ours may have held any lock.
struct Start {
  const char* program;
  char* const* arguments;
  char* const* environment;
  int life, report, log;
  int grace_ms;
};

constexpr int kLife = 3, kReport = 4;  // in the keeper

void send(Report report) {
  [[maybe_unused]] const auto sent = ::write(kReport, &report, sizeof report);
}

[[noreturn]] void become_server(const Start& start) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // should the keeper be killed
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::fcntl(kReport, F_SETFD, FD_CLOEXEC);
  ::close(kLife);
  ::execve(start.program, start.arguments, start.environment);
  send({Report::Kind::not_started, errno});
  ::_exit(127);
}

// True if it ended within `ms`.
bool wait_for(pid_t server, int& status, int ms) {
  constexpr int kLook = 20;
  for (int waited = 0;; waited += kLook) {
    if (::waitpid(server, &status, WNOHANG) == server) return true;
    if (waited >= ms) return false;
    const timespec nap{0, kLook * 1'000'000L};
    ::nanosleep(&nap, nullptr);
  }
}

[[noreturn]] void keep(const Start& start) {
  ::setpgid(0, 0);  // a Ctrl-C is for the program alone
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(number, SIG_IGN);
  // Nothing of ours may stay open here: not the lock of a run, not a connection, not the pipe that our output
  // goes into.
  constexpr int kHigh = 100;
  const int life = ::fcntl(start.life, F_DUPFD, kHigh);
  const int report = ::fcntl(start.report, F_DUPFD, kHigh);
  const int log = ::fcntl(start.log, F_DUPFD, kHigh);
  ::dup2(life, kLife);
  ::dup2(report, kReport);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::close(STDIN_FILENO);
  ::open("/dev/null", O_RDONLY);
  ::close_range(kReport + 1, ~0U, 0);

  const pid_t server = ::fork();
  if (server < 0) {
    send({Report::Kind::not_started, errno});
    ::_exit(1);
  }
  if (server == 0) become_server(start);
  ::setpgid(server, server);
  int status = 0;
  pollfd life_end{kLife, POLLIN, 0};
  while (::waitpid(server, &status, WNOHANG) == 0) {
    constexpr int kLookMs = 50;
    if (::poll(&life_end, 1, kLookMs) > 0) {  // nothing is ever written: the other end was closed
      ::kill(-server, SIGTERM);
      if (!wait_for(server, status, start.grace_ms)) {
        ::kill(-server, SIGKILL);
        ::waitpid(server, &status, 0);
      }
      break;
    }
  }
  ::kill(-server, SIGKILL);  // what it has started and left
  send({Report::Kind::ended, status});
  ::_exit(0);
}

std::string in_words(const Report& report) {
  if (report.kind == Report::Kind::not_started) return "can't be started: " + reason(report.value);
  if (WIFSIGNALED(report.value)) return fmt::format("was killed by signal {}", WTERMSIG(report.value));
  return fmt::format("ended with exit code {}", WEXITSTATUS(report.value));
}

int open_log(const fs::path& log) {
  const int descriptor = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0)
    throw InputError(fmt::format("{}: the server's log can't be written: {}", log.string(), reason(errno)));
  return descriptor;
}

}  // namespace

ServerProcess::ServerProcess(ProcessOptions options) : options_(std::move(options)) {
  start();
}

ServerProcess::~ServerProcess() {
  stop();
}

void ServerProcess::start() {
  stop();
  ending_.clear();
  const fs::path program = find_program(options_.command.at(0));
  auto words = options_.command;
  auto variables = environment_with(options_.environment);
  const auto arguments = pointers(words);
  const auto environment = pointers(variables);
  int life[2] = {-1, -1};
  int report[2] = {-1, -1};
  const int log = open_log(options_.log);
  if (::pipe2(life, O_CLOEXEC) != 0 || ::pipe2(report, O_CLOEXEC) != 0)
    throw std::runtime_error("a server can't be started: " + reason(errno));
  const Start plan{program.c_str(),
                   arguments.data(),
                   environment.data(),
                   life[0],
                   report[1],
                   log,
                   static_cast<int>(options_.stop_grace_s * 1000)};
  std::fflush(nullptr);  // else the keeper would hold a copy of what we have not written yet
  // Signals wait until the keeper has said what becomes of them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  keeper_ = ::fork();
  if (keeper_ == 0) keep(plan);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  for (const int descriptor : {life[0], report[1], log}) ::close(descriptor);
  life_ = life[1];
  report_ = report[0];
  if (keeper_ < 0) throw std::runtime_error("a server can't be started: " + reason(error));
}

void ServerProcess::read_report(int timeout_ms) {
  if (report_ < 0 || !ending_.empty()) return;
  pollfd ready{report_, POLLIN, 0};
  int polled = 0;
  do polled = ::poll(&ready, 1, timeout_ms);
  while (polled < 0 && errno == EINTR);
  if (polled <= 0) return;
  Report report{};
  ssize_t got = 0;
  do got = ::read(report_, &report, sizeof report);
  while (got < 0 && errno == EINTR);
  ending_ = got == sizeof report ? in_words(report) : "was lost: the process that kept it was killed";
}

bool ServerProcess::running() {
  return ending().empty();
}

const std::string& ServerProcess::ending() {
  if (report_ >= 0) read_report(0);
  return ending_;
}

void ServerProcess::stop() {
  if (keeper_ <= 0) return;
  ::close(std::exchange(life_, -1));
  constexpr int kMoreMs = 5000;
  read_report(static_cast<int>(options_.stop_grace_s * 1000) + kMoreMs);
  ::close(std::exchange(report_, -1));
  while (::waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
  }
  keeper_ = -1;
}

int free_port(int wanted) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;  // connections of an earlier server that linger don't count
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(wanted));
  socklen_t length = sizeof address;
  const bool bound = listener >= 0 &&
                     ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                     ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                     ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  const int error = errno;
  if (listener >= 0) ::close(listener);
  if (!bound && wanted > 0)
    throw InputError(
        fmt::format("port {}: {}; choose another, or leave it out for a free one", wanted, reason(error)));
  if (!bound) throw std::runtime_error("no free port: " + reason(error));
  return ntohs(address.sin_port);
}

std::string last_lines(const fs::path& log, std::size_t lines) {
  constexpr std::streamoff kMost = 4096;
  std::ifstream file(log, std::ios::binary | std::ios::ate);
  if (!file) return "";
  const std::streamoff end = file.tellg();
  std::string text(static_cast<std::size_t>(std::min(end, kMost)), '\0');
  file.seekg(end - static_cast<std::streamoff>(text.size()));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t start = text.size();
  for (std::size_t n = 0; n < lines && start > 0; ++n) {
    const auto newline = text.rfind('\n', start - 1);
    if (newline == std::string::npos) return text;
    start = newline;
  }
  return text.substr(std::min(start + 1, text.size()));
}

}  // namespace gpqa
