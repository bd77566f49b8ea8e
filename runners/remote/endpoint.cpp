#include "runners/remote/endpoint.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "prompts/sha256.h"
#include "runners/remote/curl_handle.h"
#include "runners/remote/server_calls.h"
#include "runners/remote/server_process.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

using namespace std::chrono_literals;

constexpr int kMostRestarts = 3;  // without an answer in between
constexpr auto kLookEvery = 1s;

HttpOptions for_looks(HttpOptions options) {
  options.connect_timeout_s = std::min(options.connect_timeout_s, 2.0);
  options.total_timeout_s = 5;
  return options;
}

double seconds_since(Endpoint::Clock::time_point start) {
  return std::chrono::duration<double>(Endpoint::Clock::now() - start).count();
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

std::string Endpoint::changed_field(HttpClient& client) const {
  const auto props = get_json(client, "/props");
  const auto models = get_json(client, "/v1/models");
  const nlohmann::ordered_json none;
  const auto& p = props.json ? *props.json : none;
  const auto& data = models.json ? member_of(*models.json, "data") : none;
  const auto& model = data.is_array() && !data.empty() ? data.front() : none;
  const auto& audited = server_.info;
  const auto text = [](const char* name, const std::string& then, const std::string& now) {
    return then.empty() || then == now ? "" : fmt::format("{} was '{}', is '{}'", name, then, now);
  };
  const auto number = [](const char* name, std::int64_t then, std::int64_t now) {
    return then <= 0 || then == now ? "" : fmt::format("{} was {}, is {}", name, then, now);
  };
  for (const auto& change :
       {text("build", audited.build, text_of(p, "build_info")),
        text("model path", audited.model_path, text_of(p, "model_path")),
        text("chat template", audited.chat_template_sha256, sha256_hex(text_of(p, "chat_template"))),
        number("slot context", audited.slot_context,
               integer_of(member_of(p, "default_generation_settings"), "n_ctx")),
        text("model", audited.model_id, text_of(model, "id")),
        number("number of parameters", audited.n_params, integer_of(member_of(model, "meta"), "n_params")),
        number("size of the model", audited.model_bytes, integer_of(member_of(model, "meta"), "size"))})
    if (!change.empty()) return change;
  return "";
}

std::optional<std::string> Endpoint::look() {
  if (state_ == State::gone) return std::nullopt;
  if (server_.process != nullptr && !server_.process->running()) return start_again();
  if (state_ == State::up || Clock::now() < next_look_) return std::nullopt;
  try {
    HttpClient client(for_looks(server_.http));
    const auto health = get_json(client, "/health");
    if (health.json) {
      if (const auto change = changed_field(client); !change.empty())
        return give_up("who answers there now is another: " + change);
      state_ = State::up;
      const bool told = std::exchange(told_down_, false);
      if (!told) return std::nullopt;
      return fmt::format("server {} answers again after {:.0f} s", base_, seconds_since(down_since_));
    }
    why_ = fmt::format("{}/health answers HTTP {}: {}", base_, health.error.code, health.error.message);
  } catch (const TransportError& error) {
    why_ = error.what();
  } catch (const AuditRefused& error) {
    why_ = error.what();
  }
  next_look_ = Clock::now() + kLookEvery;
  if (std::exchange(told_down_, true)) return std::nullopt;
  return fmt::format("server {} is down ({}); its questions wait, or go to another", base_, why_);
}

}  // namespace gpqa
