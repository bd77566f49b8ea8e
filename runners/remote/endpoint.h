// One server of a run: how many requests it gets, whether it can be reached, and who comes back after it
// couldn't.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "runners/remote/http_client.h"
#include "runners/runner.h"

namespace gpqa {

class ServerProcess;

struct Server {
  HttpOptions http;
  RunnerInfo info;                   // from audit_server
  ServerProcess* process = nullptr;  // of a server of our own: started again when it ends
};

class Endpoint {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Endpoint(Server server);

  const HttpOptions& http() const { return server_.http; }
  const RunnerInfo& info() const { return server_.info; }
  const std::string& url() const { return base_; }

  // So many more requests it can be given now.
  std::size_t room() const { return state_ == State::up && running < limit_ ? limit_ - running : 0; }
  std::size_t limit() const { return state_ == State::up ? limit_ : 0; }
  std::size_t running = 0;

  // The context that the slots share ran full while a request ran: fewer at a time from now on. All running
  // requests die of it at once, so only those begun since the last cut are news. False if that request ran
  // alone: then it was its own answer that filled the context.
  bool lower_limit(Clock::time_point request_started);
  // Nothing, or a 503, came of a request: to be looked at before it is given another one.
  void doubt(std::string why);
  void answered() { restarts_in_a_row_ = 0; }

  bool is_down() const { return state_ != State::up; }
  bool is_gone() const { return state_ == State::gone; }  // it will not be asked again
  const std::string& why() const { return why_; }
  Clock::time_point down_since() const { return down_since_; }
  Clock::time_point next_look() const { return next_look_; }

  // To be called now and then: notices the end of a process of ours and starts it again, asks a server that
  // is down for its health, and whether it still is the audited one. Says what is worth noting in the run.
  // Asks with short time-outs, so it takes at most a few seconds.
  std::optional<std::string> look();

 private:
  enum class State { up, down, gone };

  std::optional<std::string> start_again();
  std::optional<std::string> give_up(std::string why);
  // Up again if it is healthy and the audited one, given up if it is another; else why_ says what it answers.
  std::optional<std::string> ask_who_it_is();

  Server server_;
  std::string base_;
  std::size_t limit_;
  Clock::time_point limit_since_;
  State state_ = State::up;
  bool told_down_ = false;
  std::string why_;
  Clock::time_point down_since_;
  Clock::time_point next_look_;
  int restarts_in_a_row_ = 0;
};

}  // namespace gpqa
