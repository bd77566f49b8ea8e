#include "runners/remote/server_audit.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "runners/model_files/gguf_reader.h"
#include "runners/remote/budget_probe.h"
#include "runners/remote/chat_templates.h"
#include "runners/remote/fingerprint.h"
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
  body["messages"] = Json::array({{{"role", "user"}, {"content", prompt}}});
  if (enable_thinking) {
    body["chat_template_kwargs"]["enable_thinking"] = *enable_thinking;
  }
  return body;
}

// Templates that open the thought themselves end with its tag.
bool opens_thought(std::string_view prompt) {
  return prompt.ends_with("<think>") || prompt.ends_with("<think>\n");
}

class Audit {
 public:
  Audit(HttpClient& http, const AuditPlan& plan, const std::function<void(std::string_view)>& say)
      : http_(http), plan_(plan), say_(say) {
    info_.kind = "llama-server";
    info_.url = http.url();
  }

  RunnerInfo run() {
    wait_until_loaded();
    read_props();
    read_model();
    compare_model_file();
    check_thinking();
    check_context();
    throw_refusals();  // what follows generates text, and would only repeat these
    check_sampling();
    throw_refusals();
    if (plan_.sampling.thinking == Thinking::required && plan_.sampling.reasoning_budget.value_or(-1) >= 0) {
      check_budget();
    }
    say_("taking a greedy fingerprint");
    info_.fingerprint = fingerprint(http_, info_.model_id);
    throw_refusals();
    return std::move(info_);
  }

 private:
  template <class... Args>
  void refuse(fmt::format_string<Args...> text, Args&&... args) {
    refusals_.push_back(fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void note(fmt::format_string<Args...> text, Args&&... args) {
    info_.notes.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  void throw_refusals() const {
    if (!refusals_.empty()) {
      throw AuditRefused(
          fmt::format("{} would spoil this run:\n  - {}", http_.url(), fmt::join(refusals_, "\n  - ")));
    }
  }

  void wait_until_loaded() {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    while (true) {
      const auto health = get_json(http_, "/health");
      if (health.json) {
        return;
      }
      if (health.error.code != 503) {
        throw AuditRefused(fmt::format("{}/health answers HTTP {}: {}. Is it a llama-server?", http_.url(),
                                       health.error.code, health.error.message));
      }
      const double waited = std::chrono::duration<double>(Clock::now() - start).count();
      if (waited > plan_.load_timeout_s) {
        throw AuditRefused(fmt::format("{} still loads its model after {:.0f} s", http_.url(), waited));
      }
      say_(fmt::format("the server loads its model: {:.0f} s", waited));
      std::this_thread::sleep_for(std::chrono::milliseconds(waited < 5 ? 200 : 1000));
    }
  }

  void read_props() {
    const auto props = get_json(http_, "/props");
    if (!props.json) {
      throw AuditRefused(fmt::format("{}/props answers HTTP {}: {}. A llama-server shows its settings there",
                                     http_.url(), props.error.code, props.error.message));
    }
    info_.model_path = text_of(*props.json, "model_path");
    if (info_.model_path.empty()) {
      throw AuditRefused(
          fmt::format("{} names no model (a router?): it could serve another one at any time. Start "
                      "llama-server with -m MODEL",
                      http_.url()));
    }
    info_.build = text_of(*props.json, "build_info");
    info_.quant = text_of(*props.json, "model_ftype");
    info_.slots = std::max<std::int64_t>(integer_of(*props.json, "total_slots"), 1);
    const Json& defaults = member_of(*props.json, "default_generation_settings");
    info_.slot_context = integer_of(defaults, "n_ctx");
    const std::string chat_template = text_of(*props.json, "chat_template");
    info_.chat_template_sha256 = sha256_hex(chat_template);
    info_.chat_template_name = chat_template_name(info_.chat_template_sha256);
    if (info_.chat_template_name == "unknown") {
      note("the chat template is not one known here (SHA-256 {}...)",
           info_.chat_template_sha256.substr(0, 12));
    }
    read_defaults(member_of(defaults, "params"));
  }

  // What the server would sample with unasked; what we don't ask for is what it will.
  void read_defaults(const Json& params) {
    std::vector<std::string> left;
    for_each_sampling_field(plan_.sampling, [&](const char* name, const auto& field) {
      const Json& value = member_of(params, name);
      if (!value.is_null()) {
        info_.server_defaults[name] = value.dump(-1, ' ', false, Json::error_handler_t::replace);
        if (!field) {
          left.push_back(fmt::format("{} = {}", name, info_.server_defaults[name]));
        }
      }
    });
    if (!left.empty()) {
      note("left to the server's own defaults: {}", fmt::join(left, ", "));
    }
  }

  void read_model() {
    const auto models = get_json(http_, "/v1/models");
    const Json& data = models.json ? member_of(*models.json, "data") : Json();
    if (!data.is_array() || data.empty()) {
      refuse("/v1/models names no model");
      return;
    }
    info_.model_id = text_of(data.front(), "id");
    const Json& meta = member_of(data.front(), "meta");
    info_.n_params = integer_of(meta, "n_params");
    info_.model_bytes = integer_of(meta, "size");
    if (const auto quant = text_of(meta, "ftype"); !quant.empty()) {
      info_.quant = quant;
    }
  }

  void compare_model_file() {
    if (!plan_.model_file) {
      return;
    }
    const auto header = read_gguf_header(*plan_.model_file);
    const auto elements = static_cast<std::int64_t>(header.n_params());
    const auto bytes = static_cast<std::int64_t>(header.tensor_bytes());
    if (info_.n_params == 0 || info_.model_bytes == 0) {
      note("the server doesn't say how large its model is: it can't be compared with {}",
           plan_.model_file->string());
    } else if (info_.n_params != elements || info_.model_bytes != bytes) {
      refuse(
          "another model is served: {} has {} parameters in {} bytes, the server's {} has {} in {}. Start "
          "the server with "
          "the plan's file, or correct `model` in the plan",
          plan_.model_file->string(), elements, bytes, info_.model_path, info_.n_params, info_.model_bytes);
    }
    for (const auto& [key, value] : header.metadata) {
      if (key.starts_with("general.sampling.") || key == "tokenizer.ggml.suppress_tokens") {
        note("the GGUF carries {}: it changes what is sampled unless the request overrides it", key);
      }
    }
  }

  std::optional<std::string> templated(std::optional<bool> enable_thinking) {
    const auto result = post_json(http_, "/apply-template", chat_body("x", enable_thinking));
    return result.json ? std::optional(text_of(*result.json, "prompt")) : std::nullopt;
  }

  // The template is rendered with thinking asked on and off: where that makes no difference, only a thought
  // that the template opens by itself shows that the model thinks.
  void check_thinking() {
    const auto on = templated(true);
    const auto off = templated(false);
    const auto sent = templated(thinking_argument(plan_.sampling.thinking));
    if (!on || !off || !sent) {
      info_.thinking = "unknown";
      if (plan_.sampling.thinking == Thinking::absent) {
        note("the server has no /apply-template: whether the model thinks is not known");
      } else {
        refuse(
            "the server has no /apply-template, so it can't be seen whether the model will think: use a "
            "newer llama-server");
      }
      return;
    }
    if (*on == *off) {
      info_.thinking = opens_thought(*sent) ? "on" : "absent";
    } else {
      info_.thinking = *sent == *on ? "on" : "off";
    }
    switch (plan_.sampling.thinking) {
      case Thinking::required:
        if (info_.thinking != "on" && plan_.force_template) {
          note("the template shows no thinking; the plan goes on with it all the same");
        } else if (info_.thinking != "on") {
          refuse(
              "the served model's chat template ({}) doesn't think, and the plan requires it. If the model "
              "can't think, say "
              "so: thinking = \"absent\" (--set thinking=absent)",
              info_.chat_template_name);
        }
        break;
      case Thinking::off:
        if (info_.thinking == "on") {
          refuse("the served model's chat template thinks although it is asked not to");
        }
        break;
      case Thinking::absent:
        if (info_.thinking == "on") {
          note("nothing is said about thinking, and the server's model thinks by default");
        }
        break;
    }
  }

  std::int64_t prompt_tokens() {
    const auto thinking = thinking_argument(plan_.sampling.thinking);
    const auto counted =
        post_json(http_, "/v1/chat/completions/input_tokens", chat_body(plan_.longest_prompt, thinking));
    if (counted.json && integer_of(*counted.json, "input_tokens") > 0) {
      return integer_of(*counted.json, "input_tokens");
    }
    constexpr std::int64_t kTemplateTokens = 64;
    const auto split = post_json(http_, "/tokenize", {{"content", plan_.longest_prompt}});
    const auto tokens = split.json ? static_cast<std::int64_t>(member_of(*split.json, "tokens").size()) : 0;
    if (tokens > 0) {
      note("the server can't count a chat's tokens: the longest prompt is taken as {} + {} for its template",
           tokens, kTemplateTokens);
      return tokens + kTemplateTokens;
    }
    note("the server can't count tokens: the longest prompt is taken as one a byte");
    return static_cast<std::int64_t>(plan_.longest_prompt.size()) + kTemplateTokens;
  }

  void check_context() {
    const std::int64_t prompt = prompt_tokens();
    const std::int64_t need = prompt + plan_.sampling.max_tokens;
    info_.context_pool = plan_.declared_pool.value_or(info_.slot_context);
    const std::int64_t safe = info_.slot_context < need ? 0
                                                        : safe_concurrency(info_.slots, info_.context_pool,
                                                                           prompt, plan_.sampling.max_tokens);
    if (safe == 0) {
      refuse(
          "an answer can take {} tokens (longest prompt {} + max_tokens {}), but a slot holds {}: the "
          "longest thoughts would be "
          "cut short and look like a worse model. Start the server with -c {} (times its slots) or lower "
          "max_tokens",
          need, prompt, plan_.sampling.max_tokens, std::min(info_.slot_context, info_.context_pool), need);
      return;
    }
    info_.concurrency = plan_.wanted_concurrency > 0 ? std::min(plan_.wanted_concurrency, safe) : safe;
    if (info_.concurrency < plan_.wanted_concurrency || info_.concurrency < info_.slots) {
      note("{} at a time, of {} slots: {} tokens of context{} hold no more answers of up to {}",
           info_.concurrency, info_.slots, info_.context_pool,
           plan_.declared_pool ? "" : " (the slots may share one pool)", need);
    }
  }

  // One token with the plan's whole chain: does the server take every field, and use what it was asked?
  void check_sampling() {
    say_("checking the sampling fields");
    const Json asked = sampling_fields(plan_.sampling, 1);
    Json body = chat_body("x", std::nullopt);
    body["model"] = info_.model_id;
    body.update(asked);
    body["max_tokens"] = 1;
    body["verbose"] = true;
    const auto result = post_json(http_, "/v1/chat/completions", body);
    if (!result.json) {
      if (classify(result.error) == ErrorClass::ours) {
        refuse("the server refuses the plan's sampling: HTTP {}: {}", result.error.code,
               result.error.message);
      } else if (classify(result.error) != ErrorClass::lost_parse) {
        refuse("the server can't answer: HTTP {}: {}", result.error.code, result.error.message);
      }
      return;
    }
    Json compared = asked;
    compared["max_tokens"] = 1;
    const Json used = sampled_with(member_of(member_of(*result.json, "__verbose"), "generation_settings"));
    if (used.empty()) {
      note("the server doesn't say what it samples with");
      return;
    }
    if (const auto mismatch = sampling_mismatch(compared, used); !mismatch.empty()) {
      refuse("the server samples with other values than it is asked for: {}", mismatch);
    }
  }

  void check_budget() {
    say_("probing the reasoning budget");
    const auto probe = probe_budget(http_, plan_.sampling, info_.model_id);
    info_.budget_probe = probe.text;
    if (probe.verdict == BudgetProbe::Verdict::ignored) {
      refuse(
          "the server ignores the reasoning budget ({}): use a newer llama-server, or one whose template has "
          "the thought's tags",
          probe.text);
    } else if (probe.verdict == BudgetProbe::Verdict::not_exercised) {
      note("whether the reasoning budget is obeyed could not be seen ({})", probe.text);
    }
  }

  HttpClient& http_;
  const AuditPlan& plan_;
  const std::function<void(std::string_view)>& say_;
  RunnerInfo info_;
  std::vector<std::string> refusals_;
};

}  // namespace

RunnerInfo audit_server(HttpClient& http, const AuditPlan& plan,
                        const std::function<void(std::string_view)>& say) {
  return Audit(http, plan, say).run();
}

std::int64_t safe_concurrency(std::int64_t slots, std::int64_t pool, std::int64_t prompt_tokens,
                              std::int64_t max_tokens) {
  const std::int64_t need = prompt_tokens + max_tokens;
  return need <= 0 ? 0 : std::max<std::int64_t>(std::min(slots, pool / need), 0);
}

}  // namespace gpqa
