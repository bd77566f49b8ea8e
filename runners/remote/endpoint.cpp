#include "runners/remote/endpoint.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/remote/curl_handle.h"
#include "runners/remote/served_model.h"
#include "runners/remote/server_calls.h"
#include "runners/remote/server_process.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

using namespace std::chrono_literals;

constexpr int kMostRestarts = 3;     // without an answer in between
constexpr auto kLookEvery = 1s;      // at a server that is down
constexpr auto kWatchEvery = 100ms;  // whether a process of ours still runs

HttpOptions for_looks(HttpOptions options) {
  options.connect_timeout_s = std::min(options.connect_timeout_s, 2.0);
  options.total_timeout_s = 5;
  return options;
}

double seconds_since(Endpoint::Clock::time_point start) {
  return std::chrono::duration<double>(Endpoint::Clock::now() - start).count();
}

// In which field the one who answers now is another than the audited one; "" if in none.
std::string changed_field(const RunnerInfo& audited, const RunnerInfo& now) {
  const auto text = [](const char* name, const std::string& then, const std::string& found) {
    return then.empty() || then == found ? "" : fmt::format("{} was '{}', is '{}'", name, then, found);
  };
  const auto number = [](const char* name, std::int64_t then, std::int64_t found) {
    return then <= 0 || then == found ? "" : fmt::format("{} was {}, is {}", name, then, found);
  };
  for (const auto& change :
       {text("build", audited.build, now.build), text("model path", audited.model_path, now.model_path),
        text("chat template", audited.chat_template_sha256, now.chat_template_sha256),
        number("slot context", audited.slot_context, now.slot_context),
        text("model", audited.model_id, now.model_id),
        number("number of parameters", audited.n_params, now.n_params),
        number("size of the model", audited.model_bytes, now.model_bytes)})
    if (!change.empty()) return change;
  return "";
}

}  // namespace

Endpoint::Endpoint(Server server)
    : server_(std::move(server)),
      base_(base_url(server_.http.url)),
      limit_(static_cast<std::size_t>(std::max<std::int64_t>(server_.info.concurrency, 1))) {}

bool Endpoint::lower_limit(Clock::time_point request_started) {
  if (request_started < limit_since_) return true;
  if (limit_ == 1) return false;
  limit_ = std::max<std::size_t>(limit_ / 2, 1);
  limit_since_ = Clock::now();
  return true;
}

void Endpoint::doubt(std::string why) {
  if (state_ != State::up) return;
  state_ = State::down;
  why_ = std::move(why);
  down_since_ = next_look_ = Clock::now();
}

std::optional<std::string> Endpoint::give_up(std::string why) {
  state_ = State::gone;
  why_ = std::move(why);
  return fmt::format("server {} is not asked again: {}", base_, why_);
}

std::optional<std::string> Endpoint::start_again() {
  const std::string ending = server_.process->ending();
  if (restarts_in_a_row_ == kMostRestarts)
    return give_up(fmt::format("it {}, {} times without an answer in between. Its last words in {}:\n{}",
                               ending, kMostRestarts + 1, server_.process->log().string(),
                               last_lines(server_.process->log(), 5)));
  ++restarts_in_a_row_;
  doubt(ending);
  told_down_ = true;  // by what is returned here
  server_.process->start();
  return fmt::format("server {} {} and was started again", base_, ending);
}

std::optional<std::string> Endpoint::ask_who_it_is() {
  HttpClient client(for_looks(server_.http));
  CallResult answers[3];
  for (std::size_t i = 0; const char* path : {"/health", "/props", "/v1/models"}) {
    auto& answer = answers[i++];
    answer = get_json(client, path);
    if (!answer.json) {
      why_ = fmt::format("{}{} answers HTTP {}: {}", base_, path, answer.error.code, answer.error.message);
      return std::nullopt;
    }
  }
  RunnerInfo now;
  read_props(*answers[1].json, now);
  read_model(first_model(*answers[2].json), now);
  if (const auto change = changed_field(server_.info, now); !change.empty())
    return give_up("who answers there now is another: " + change);
  state_ = State::up;
  if (!std::exchange(told_down_, false)) return std::nullopt;
  return fmt::format("server {} answers again after {:.0f} s", base_, seconds_since(down_since_));
}

std::optional<std::string> Endpoint::look() {
  const auto now = Clock::now();
  if (state_ == State::gone || now < next_look_) return std::nullopt;
  if (server_.process != nullptr && !server_.process->running()) return start_again();
  if (state_ == State::up) {
    next_look_ = now + kWatchEvery;
    return std::nullopt;
  }
  next_look_ = now + kLookEvery;
  try {
    if (auto event = ask_who_it_is()) return event;
  } catch (const TransportError& error) {
    why_ = error.what();
  } catch (const AuditRefused& error) {
    why_ = error.what();
  }
  if (state_ == State::up || std::exchange(told_down_, true)) return std::nullopt;
  return fmt::format("server {} is down ({}); its questions wait, or go to another", base_, why_);
}

}  // namespace gpqa
