#include "harness/variant_servers.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "prompts/input_error.h"
#include "results/inert_text.h"
#include "results/run_files.h"
#include "runners/remote/server_audit.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;

// validate() has seen that it is set.
std::string api_key(const ServerPlan& server) {
  const char* key = server.api_key_env.empty() ? nullptr : std::getenv(server.api_key_env.c_str());
  return key == nullptr ? "" : key;
}

void say(std::string_view words) {
  fmt::print(stderr, "{}\n", terminal_escape(words));
}

std::string longest_prompt(std::span<const Trial> trials) {
  const auto longer = [](const Trial& a, const Trial& b) { return a.prompt.size() < b.prompt.size(); };
  return std::max_element(trials.begin(), trials.end(), longer)->prompt;
}

RunnerInfo audit(const PreparedPlan& prepared, const VariantPlan& variant, const HttpOptions& http) {
  AuditPlan plan;
  plan.sampling = prepared.plan.sampling;
  plan.longest_prompt = longest_prompt(prepared.trials);
  plan.wanted_concurrency = variant.server.concurrency;
  plan.declared_pool = variant.server.context_pool;
  if (!variant.model.empty()) plan.model_file = variant.model;
  plan.force_template = variant.server.force_template;
  plan.stop = http.stop;
  HttpClient client(http);
  return audit_server(client, plan, say);
}

ProcessOptions process_options(const VariantPlan& variant, int port, const fs::path& log) {
  ProcessOptions options;
  options.command = {variant.server.command,
                     "--model",
                     fs::absolute(variant.model).string(),
                     "--host",
                     "127.0.0.1",
                     "--port",
                     std::to_string(port)};
  options.command.insert(options.command.end(), variant.server.flags.begin(), variant.server.flags.end());
  if (const auto key = api_key(variant.server); !key.empty()) options.environment = {{"LLAMA_API_KEY", key}};
  options.log = log;
  return options;
}

// Until it listens; how far its model is, the audit waits for.
void wait_until_it_listens(ServerProcess& process, const HttpOptions& http) {
  constexpr double kMostSeconds = 120;
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  HttpClient client(http);
  while (true) {
    if (http.stop.stop_requested()) throw Interrupted();
    if (!process.running())
      throw InputError(fmt::format("the server {} before it could answer. Its last words in {}:\n{}",
                                   process.ending(), process.log().string(), last_lines(process.log(), 8)));
    std::string why;
    try {
      client.get("/health");
      return;
    } catch (const TransportError& error) {
      why = error.what();
    }
    if (std::chrono::duration<double>(Clock::now() - start).count() > kMostSeconds)
      throw TransportError(
          fmt::format("the server that was started doesn't listen after {:g} s ({}); its log: {}",
                      kMostSeconds, why, process.log().string()));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

// Servers that share a run must answer alike. How much each can take may differ.
void check_alike(const RunnerInfo& first, const RunnerInfo& other) {
  Manifest a;
  Manifest b;
  a.runner = first;
  b.runner = other;
  std::vector<std::string> lines;
  for (const auto& field : differences(a, b)) {
    const auto& name = field.field;
    if (name != "runner.slots" && name != "runner.slot_context" && name != "runner.context_pool" &&
        name != "runner.concurrency" && name != "runner.budget_probe")
      lines.push_back(fmt::format("{}: {} there, {} here", name, field.stored, field.now));
  }
  if (!lines.empty())
    throw AuditRefused(fmt::format(
        "{} and {} would not answer alike:\n  - {}\nAsk them in runs of their own, or serve the same "
        "on both",
        first.url, other.url, fmt::join(lines, "\n  - ")));
}

}  // namespace

VariantServers open_servers(const PreparedPlan& prepared, const VariantPlan& variant, const fs::path& folder,
                            const std::stop_token& stop) {
  VariantServers all;
  HttpOptions http;
  http.api_key = api_key(variant.server);
  http.stop = stop;
  auto urls = variant.server.urls;
  if (variant.server.managed()) {
    const int port = free_port(variant.server.port);
    urls = {fmt::format("http://127.0.0.1:{}", port)};
    all.process = std::make_unique<ServerProcess>(process_options(variant, port, folder / "server.log"));
    say(fmt::format("started {}; its log: {}", variant.server.command, all.process->log().string()));
    http.url = urls.front();
    wait_until_it_listens(*all.process, http);
  }
  for (const auto& url : urls) {
    http.url = url;
    if (urls.size() > 1) say(fmt::format("server {}", url));
    all.servers.push_back({http, audit(prepared, variant, http), all.process.get()});
    all.servers.back().http.stop = {};  // a run ends its calls in order
    check_alike(all.servers.front().info, all.servers.back().info);
  }
  return all;
}

}  // namespace gpqa
