#include "runners/embedded/embedded_runner.h"

#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "runners/embedded/embedded_answer.h"
#include "runners/embedded/embedded_fingerprint.h"
#include "runners/embedded/engine/engine.h"
#include "runners/embedded/sampling/sampler.h"
#include "runners/model_files/file_types.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

std::uint32_t seed_of(const SamplingConfig& sampling, std::uint32_t trial_seed) {
  if (sampling.seed_rule == SeedRule::constant) return sampling.constant_seed;
  return trial_seed;  // llama-server would draw one where none is sent; ours can be drawn again
}

std::string used_settings(const SamplerSettings& settings, const SamplingConfig& sampling,
                          std::uint32_t seed) {
  Json used = reported(settings);
  used["max_tokens"] = sampling.max_tokens;
  used["stop"] = sampling.stop;
  used["seed"] = seed;
  return used.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string file_label(const ModelSource& source) {
  if (source.gguf() == nullptr) return std::string(source.tensors().front().format.name);
  const auto& header = source.gguf()->header();
  const auto label = file_type_label(header.count("general.file_type").value_or(~std::uint64_t{0}));
  return std::string(label.empty() ? header.main_type() : label);
}

// What the model's file would sample with unasked, as a server's defaults are kept.
std::map<std::string, std::string> baked_defaults(const SamplerSettings& unasked) {
  std::map<std::string, std::string> all;
  const Json fields = reported(unasked);
  for (auto field = fields.begin(); field != fields.end(); ++field) all[field.key()] = field->dump();
  return all;
}

RunnerInfo describe(LoadedModel& model, const ChatModel& chat, const SamplingConfig& sampling) {
  const auto& source = model.source();
  const auto& sizes = model.model().sizes();
  RunnerInfo info;
  info.kind = "embedded";
  info.model_path = std::filesystem::absolute(source.path()).lexically_normal().string();
  info.model_id = source.path().filename().string();
  info.quant = file_label(source);
  info.n_params = static_cast<std::int64_t>(source.elements());
  info.model_bytes = static_cast<std::int64_t>(source.tensor_bytes());
  info.slots = info.concurrency = static_cast<std::int64_t>(sizes.slots);
  info.slot_context = static_cast<std::int64_t>(sizes.cells);
  info.context_pool = info.slots * info.slot_context;  // each slot has its own
  info.chat_template_sha256 = chat.template_sha256();
  info.chat_template_name = chat.template_name();
  info.thinking = sampling.thinking == Thinking::required ? "on" : "off";
  info.budget_probe = "not needed: our own sampler counts";
  info.server_defaults = baked_defaults(resolve({}, chat.baked()));
  for (const int token : chat.baked().suppress_tokens)
    info.notes.push_back(fmt::format("the file forbids token {}", token));
  return info;
}

}  // namespace

EmbeddedRunner::EmbeddedRunner(LoadedModel& model, const ChatModel& chat, const SamplingConfig& sampling,
                               std::size_t longest_prompt, const std::string& build)
    : model_(model),
      chat_(chat),
      sampling_(sampling),
      settings_(resolve(sampling, chat.baked())),
      breakers_(chat.dry_breakers(settings_)),
      info_(describe(model, chat, sampling)) {
  check(settings_);
  info_.build = fmt::format("{}, cpu, {}, keys and values {}", build,
                            model.cpu().arithmetic == Arithmetic::int8 ? "8-bit inputs" : "float32",
                            kv_type_name(model.model().sizes().kv));
  const auto cells = model.model().sizes().cells;
  if (longest_prompt + static_cast<std::uint64_t>(sampling.max_tokens) > cells)
    throw AuditRefused(fmt::format(
        "a slot holds {} tokens; the longest prompt has {} and an answer may have {}: give {} (context)",
        cells, longest_prompt, sampling.max_tokens,
        longest_prompt + static_cast<std::uint64_t>(sampling.max_tokens)));
  const auto print = take_embedded_fingerprint(model, chat);
  info_.fingerprint = print.json;
  info_.tokens_per_s = print.tokens_per_s;
}

// What comes from the engine's thread, for run()'s.
class EmbeddedRunner::Run {
 public:
  explicit Run(EmbeddedRunner& runner, RequestSource& source, Sink& sink)
      : runner_(runner),
        source_(source),
        sink_(sink),
        engine_(runner.model_.backend(), runner.model_.model()) {}

  void run(const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] { changed_.notify_one(); });
    bool cancelled = false;
    while (true) {
      if (!stop.stop_requested()) {
        pull();
      } else if (!std::exchange(cancelled, true)) {
        for (auto& one : running_) one.ticket->cancel();
      }
      if (running_.empty()) return;
      pass_on(wait());
      sink_.on_tick();
    }
  }

 private:
  struct One {  // a request under way
    Request request;
    EmbeddedAnswer answer;
    Sampler sampler;
    std::string settings;
    std::optional<Ticket> ticket = {};
  };
  struct Event {
    One* of;
    std::string text;                     // that came
    std::optional<SequenceEnd> end = {};  // or how it ended
    std::string error = {};
  };

  void pull() {
    while (!source_empty_ && running_.size() < static_cast<std::size_t>(runner_.info_.slots)) {
      auto request = source_.next();
      if (!request) {
        source_empty_ = true;
        return;
      }
      start(std::move(*request));
    }
  }

  void start(Request request) {
    const auto& sampling = runner_.sampling_;
    const auto& chat = runner_.chat_;
    const bool thinking = sampling.thinking == Thinking::required;
    const auto prompt = chat.prompt(request.prompt, thinking);
    const auto seed = seed_of(sampling, request.seed);
    std::optional<ReasoningTags> tags;
    if (thinking) tags = chat.reasoning_tags(runner_.settings_.reasoning_budget_message);
    One& one = running_.emplace_back(
        One{.request = std::move(request),
            .answer = EmbeddedAnswer(chat, sampling, static_cast<std::int64_t>(prompt.size())),
            .sampler = Sampler(runner_.settings_, seed, runner_.breakers_, std::move(tags)),
            .settings = used_settings(runner_.settings_, sampling, seed)});
    one.sampler.accept_prompt(prompt);
    SequenceRequest sequence;
    sequence.prompt = prompt;
    sequence.max_tokens = sampling.max_tokens;
    sequence.choose = [&one](std::span<const float> logits) { return one.sampler.sample(logits); };
    sequence.on_token = [this, &one](std::int32_t token) {
      const bool more = one.answer.add(token);
      if (!one.answer.shown().empty()) say({.of = &one, .text = std::string(one.answer.shown())});
      return more;
    };
    sequence.on_done = [this, &one](SequenceEnd end, const std::string& error) {
      say({.of = &one, .text = "", .end = end, .error = error});
    };
    one.ticket = engine_.submit(std::move(sequence));
  }

  void say(Event event) {
    {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    }
    changed_.notify_one();
  }

  std::vector<Event> wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(500), [this] { return !events_.empty(); });
    return std::exchange(events_, {});
  }

  void pass_on(std::vector<Event> events) {
    for (auto& event : events) {
      const TrialId id = event.of->request.id;
      if (!event.end) {
        sink_.on_delta(id, event.text);
        continue;
      }
      auto completion = event.of->answer.finish(*event.end, event.error, runner_.info_.slot_context);
      completion.id = id;
      completion.server_id = "embedded";
      completion.sampled_with = event.of->settings;
      running_.remove_if([&](const One& one) { return &one == event.of; });
      sink_.on_done(std::move(completion));
    }
  }

  EmbeddedRunner& runner_;
  RequestSource& source_;
  Sink& sink_;
  bool source_empty_ = false;
  std::list<One> running_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  Engine engine_;  // last: its thread uses the others
};

void EmbeddedRunner::run(RequestSource& source, Sink& sink, std::stop_token stop) {
  Run(*this, source, sink).run(stop);
}

}  // namespace gpqa
