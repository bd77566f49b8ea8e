#include "runners/remote/server_audit.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "runners/model_files/gguf_reader.h"
#include "runners/remote/audit_findings.h"
#include "runners/remote/budget_probe.h"
#include "runners/remote/fingerprint.h"
#include "runners/remote/served_model.h"
#include "runners/remote/server_calls.h"
#include "runners/remote/wire_format.h"
#include "runners/runner_errors.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

std::optional<bool> thinking_argument(Thinking thinking) {
  return thinking == Thinking::absent ? std::nullopt : std::optional(thinking == Thinking::required);
}

Json chat_body(std::string_view prompt, std::optional<bool> enable_thinking) {
  Json body;
  body["messages"] = user_message(prompt);
  if (enable_thinking) {
    body["chat_template_kwargs"]["enable_thinking"] = *enable_thinking;
  }
  return body;
}

std::string in_words(const ServerError& error) {
  return fmt::format("HTTP {}: {}", error.code, error.message);
}

std::string json_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Fields that take effect without showing in generation_settings (llama.cpp b11434).
bool is_never_reported(std::string_view name) {
  return name == "cache_prompt" || name == "reasoning_budget_tokens" || name == "reasoning_budget_message";
}

std::int64_t saturating_sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::int64_t>::max() : sum;
}

constexpr std::size_t kMaxShown = 200;

class Audit {
 public:
  Audit(HttpClient& http, const AuditPlan& plan, const std::function<void(std::string_view)>& say)
      : http_(http), plan_(plan), say_(say) {
    info_.kind = "llama-server";
    info_.url = http.url();
  }

  RunnerInfo run() {
    wait_until_loaded();
    ask_props();
    ask_model();
    check_thinking();
    check_context();
    check_sampling();
    note_server_choices();
    check_budget();
    if (!findings_.refusals.empty()) {
      throw AuditRefused(fmt::format("{} would spoil this run:\n  - {}", http_.url(),
                                     fmt::join(findings_.refusals, "\n  - ")));
    }
    say_("taking a greedy fingerprint");
    const auto print = take_fingerprint(http_, info_.model_id);
    info_.fingerprint = print.json;
    info_.tokens_per_s = print.tokens_per_s;
    if (!print.error.empty()) {
      findings_.note("no fingerprint could be taken: {}", print.error);
    }
    info_.notes = std::move(findings_.notes);
    return std::move(info_);
  }

 private:
  void wait_until_loaded() {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    while (true) {
      const auto health = get_json(http_, "/health");
      if (health.json) {
        return;
      }
      if (health.error.code != 503) {
        throw AuditRefused(
            fmt::format("{}/health answers {}. Is it a llama-server?", http_.url(), in_words(health.error)));
      }
      const double waited = std::chrono::duration<double>(Clock::now() - start).count();
      if (waited > plan_.load_timeout_s) {
        throw AuditRefused(fmt::format("{} still loads its model after {:.0f} s: {}", http_.url(), waited,
                                       health.error.message));
      }
      if (plan_.stop.stop_requested()) {
        throw Interrupted();
      }
      say_(fmt::format("the server loads its model: {:.0f} s", waited));
      std::this_thread::sleep_for(std::chrono::milliseconds(waited < 5 ? 200 : 1000));
    }
  }

  void ask_props() {
    const auto props = get_json(http_, "/props");
    if (!props.json) {
      throw AuditRefused(
          fmt::format("{}/props answers {}. A llama-server shows its settings there: is it one?", http_.url(),
                      in_words(props.error)));
    }
    read_props(*props.json, info_);
    if (info_.model_path.empty()) {
      throw AuditRefused(
          fmt::format("{} names no model (a router?): it could serve another one at any time. Start "
                      "llama-server with -m MODEL",
                      http_.url()));
    }
    if (info_.chat_template_name == "unknown") {
      findings_.note("the chat template is not one known here (SHA-256 {}...)",
                     info_.chat_template_sha256.substr(0, 12));
    }
    const Json& params = member_of(member_of(*props.json, "default_generation_settings"), "params");
    for_each_sampling_field(plan_.sampling, [&](const char* name, const auto&) {
      // The reasoning format shown there is a placeholder.
      if (const Json& value = member_of(params, name);
          !value.is_null() && std::string_view(name) != "reasoning_format") {
        info_.server_defaults[name] = json_text(value);
      }
    });
  }

  void ask_model() {
    const auto models = get_json(http_, "/v1/models");
    const Json& model = models.json ? first_model(*models.json) : Json();
    if (model.is_null()) {
      findings_.refuse("/v1/models names no model{}: what is served can't be told. Use a newer llama-server",
                       models.json ? "" : " (" + in_words(models.error) + ")");
      return;
    }
    read_model(model, info_);
    if (plan_.model_file) {
      compare_model({.path = info_.model_path,
                     .quant = info_.quant,
                     .n_params = info_.n_params,
                     .bytes = info_.model_bytes,
                     .n_vocab = integer_of(member_of(model, "meta"), "n_vocab")},
                    *plan_.model_file, read_gguf_header(*plan_.model_file), findings_);
    } else if (info_.n_params <= 0 || info_.model_bytes <= 0) {
      findings_.note("the server doesn't say how large its model is");
    }
  }

  // What the template makes of a prompt; nothing, with `error_`, if the server can't or won't say.
  std::optional<std::string> rendered(std::string_view prompt, std::optional<bool> enable_thinking) {
    const auto result = post_json(http_, "/apply-template", chat_body(prompt, enable_thinking));
    const std::string text = result.json ? text_of(*result.json, "prompt") : "";
    if (text.empty()) {
      error_ = result.json ? "an answer without a prompt" : in_words(result.error);
      return std::nullopt;
    }
    return text;
  }

  void check_thinking() {
    const auto on = rendered("x", true);
    const auto off = rendered("x", false);
    const auto sent = rendered("x", thinking_argument(plan_.sampling.thinking));
    if (!on || !off || !sent) {
      info_.thinking = "unknown";
      if (plan_.sampling.thinking == Thinking::absent) {
        findings_.note("/apply-template gives {}: whether the model thinks is not known", error_);
      } else {
        findings_.refuse(
            "/apply-template gives {}: it can't be seen whether the model will think. Use a newer "
            "llama-server, or plan without (thinking = \"absent\")",
            error_);
      }
      return;
    }
    view_ = view_thinking({.on = *on, .off = *off, .sent = *sent});
    info_.thinking = view_.observed;
    judge_thinking(plan_.sampling.thinking, view_, info_.chat_template_name, plan_.force_template, findings_);
  }

  // Exact where the server counts; else never less than it is.
  std::int64_t prompt_tokens() {
    const auto thinking = thinking_argument(plan_.sampling.thinking);
    const auto counted =
        post_json(http_, "/v1/chat/completions/input_tokens", chat_body(plan_.longest_prompt, thinking));
    if (const auto count = counted.json ? integer_of(*counted.json, "input_tokens") : 0; count > 0) {
      return count;
    }
    const std::string why = counted.json ? "an answer without a count" : in_words(counted.error);
    const auto text = rendered(plan_.longest_prompt, thinking);
    // The tokenizer adds BOS, as it will.
    const auto split = text ? post_json(http_, "/tokenize",
                                        {{"content", *text}, {"add_special", true}, {"parse_special", true}})
                            : CallResult();
    const Json& tokens = split.json ? member_of(*split.json, "tokens") : Json();
    if (tokens.is_array() && !tokens.empty()) {
      findings_.note(
          "/v1/chat/completions/input_tokens gives {}: the longest prompt was counted by /tokenize", why);
      return static_cast<std::int64_t>(tokens.size());
    }
    constexpr std::size_t kTemplateTokens = 256;
    findings_.note(
        "/v1/chat/completions/input_tokens gives {}, and /tokenize no count: the longest prompt is taken as "
        "a "
        "token a byte",
        why);
    return static_cast<std::int64_t>(text ? text->size() + 1 : plan_.longest_prompt.size() + kTemplateTokens);
  }

  void check_context() {
    if (info_.slot_context <= 0) {
      findings_.refuse("/props doesn't say how many tokens a slot holds (n_ctx): use a newer llama-server");
      return;
    }
    const std::int64_t prompt = prompt_tokens();
    const std::int64_t most = plan_.sampling.max_tokens;
    const std::int64_t need = saturating_sum(prompt, most);
    info_.context_pool = plan_.declared_pool.value_or(info_.slot_context);
    const std::int64_t safe =
        info_.slot_context < need ? 0 : safe_concurrency(info_.slots, info_.context_pool, prompt, most);
    if (safe == 0 && info_.slot_context >= need) {
      findings_.refuse(
          "an answer can take {} tokens (longest prompt {} + max_tokens {}), but the plan declares a pool of "
          "{} "
          "for all slots: raise context_pool in the plan, or leave it out",
          need, prompt, most, info_.context_pool);
      return;
    }
    if (safe == 0) {
      constexpr std::int64_t kPadding = 256;  // llama-server rounds contexts up to it
      const std::int64_t flag = saturating_sum(need, kPadding - 1) / kPadding * kPadding;
      findings_.refuse(
          "an answer can take {} tokens (longest prompt {} + max_tokens {}), but a slot holds {}: the "
          "longest "
          "thoughts would be cut short and look like a worse model. Start llama-server with -c {} -np 1 (-np "
          "N "
          "divides -c by N), or lower max_tokens",
          need, prompt, most, info_.slot_context, flag);
      return;
    }
    info_.concurrency = plan_.wanted_concurrency > 0 ? std::min(plan_.wanted_concurrency, safe) : safe;
    const std::int64_t hoped = plan_.wanted_concurrency > 0 ? plan_.wanted_concurrency : info_.slots;
    if (info_.concurrency < hoped && info_.slots == safe) {
      findings_.note("{} requests at a time, not {}: the server has no more slots", safe, hoped);
    } else if (info_.concurrency < hoped) {
      findings_.note(
          "{} request{} at a time, not {}: answers can take {} tokens each, and {} tokens of context are {}",
          safe, safe == 1 ? "" : "s", hoped, need, info_.context_pool,
          plan_.declared_pool ? "what the plan declares for all slots"
                              : "all that is sure (slots may share one pool; context_pool in the plan "
                                "declares more)");
    }
  }

  // One token with the plan's whole chain: does the server take every field, and use what it was asked?
  void check_sampling() {
    say_("checking the sampling fields");
    const Json asked = [&] {
      Json fields = sampling_fields(plan_.sampling, 1);
      fields["max_tokens"] = 1;
      return fields;
    }();
    Json body = chat_body("x", std::nullopt);
    body["model"] = info_.model_id;
    body.update(asked);
    body["verbose"] = true;
    const auto result = post_json(http_, "/v1/chat/completions", body);
    if (!result.json) {
      const auto error = classify(result.error);
      if (error == ErrorClass::ours) {
        findings_.refuse("the server refuses the plan's sampling: {}. Change that field in the plan",
                         in_words(result.error));
      } else if (error != ErrorClass::lost_parse) {
        findings_.refuse("the server can't answer: {}", in_words(result.error));
      }
      return;
    }
    const Json used = sampled_with(member_of(member_of(*result.json, "__verbose"), "generation_settings"));
    if (used.empty()) {
      findings_.note("the server doesn't say what it samples with");
      return;
    }
    if (const auto mismatch = sampling_mismatch(asked, used); !mismatch.empty()) {
      findings_.refuse(
          "the server samples with other values than it is asked for: {}. Ask for what it does, or use "
          "another "
          "build",
          mismatch);
    }
    compare_fields(asked, used);
  }

  void compare_fields(const Json& asked, const Json& used) {
    std::vector<std::string_view> silent;
    for_each_sampling_field(plan_.sampling, [&](const char* name, const auto& field) {
      const Json& value = member_of(used, name);
      if (!field && !value.is_null()) {
        info_.server_defaults[name] = json_text(value);  // in effect, whatever /props says
      } else if (asked.contains(name) && !used.contains(name) && !is_never_reported(name)) {
        silent.emplace_back(name);
      }
    });
    if (!silent.empty()) {
      findings_.note("the server doesn't report these fields and may not know them: {}",
                     fmt::join(silent, ", "));
    }
  }

  void note_server_choices() {
    std::vector<std::string> left;
    for_each_sampling_field(plan_.sampling, [&](const char* name, const auto& field) {
      if (const auto it = info_.server_defaults.find(name); !field && it != info_.server_defaults.end()) {
        left.push_back(fmt::format("{} = {}", name, readable(it->second, kMaxShown)));
      }
    });
    if (!left.empty()) {
      findings_.note("left to the server's own defaults: {}", fmt::join(left, ", "));
    }
  }

  void check_budget() {
    if (plan_.sampling.thinking != Thinking::required || plan_.sampling.reasoning_budget.value_or(-1) < 0 ||
        info_.thinking != "on") {
      return;
    }
    say_("probing the reasoning budget");
    const auto probe = probe_budget(http_, plan_.sampling, info_.model_id, view_);
    info_.budget_probe = probe.text;
    if (probe.verdict == BudgetProbe::Verdict::wrong) {
      findings_.refuse(
          "the server doesn't keep to the reasoning budget ({}): it is too old, or doesn't know its "
          "template's "
          "thought tags. Use a newer llama-server",
          probe.text);
    } else if (probe.verdict == BudgetProbe::Verdict::not_exercised) {
      findings_.note("whether the reasoning budget is kept could not be seen ({})", probe.text);
    }
  }

  HttpClient& http_;
  const AuditPlan& plan_;
  const std::function<void(std::string_view)>& say_;
  RunnerInfo info_;
  AuditFindings findings_;
  ThinkingView view_;
  std::string error_;
};

}  // namespace

RunnerInfo audit_server(HttpClient& http, const AuditPlan& plan,
                        const std::function<void(std::string_view)>& say) {
  return Audit(http, plan, say).run();
}

std::int64_t safe_concurrency(std::int64_t slots, std::int64_t pool, std::int64_t prompt_tokens,
                              std::int64_t max_tokens) {
  const std::int64_t need = saturating_sum(prompt_tokens, max_tokens);
  return need <= 0 ? 0 : std::max<std::int64_t>(std::min(slots, pool / need), 0);
}

}  // namespace gpqa
