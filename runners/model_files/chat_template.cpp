#include "runners/model_files/chat_template.h"

#include <algorithm>

#include <fmt/format.h>

#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "runners/model_files/checkpoint_json.h"
#include "runners/model_files/mapped_file.h"
#include "runners/model_files/tool_declaration.h"

namespace gpqa {
namespace {

using nlohmann::json;

constexpr std::string_view kTurnEnd = "<turn|>\n";
constexpr std::string_view kNoThought = "<|channel>thought\n<channel|>";

// What was said, without the thoughts before it.
std::string without_thoughts(std::string_view text) {
  constexpr std::string_view kOpen = "<|channel>";
  constexpr std::string_view kClose = "<channel|>";
  std::string out;
  for (;;) {
    const auto end = text.find(kClose);
    const auto part = text.substr(0, end);
    out += part.substr(0, part.find(kOpen));
    if (end == std::string_view::npos) {
      return std::string(trim_template_text(out));
    }
    text.remove_prefix(end + kClose.size());
  }
}

bool is_system(const ChatMessage& message) {
  return message.role == "system" || message.role == "developer";
}

std::string role_of(const ChatMessage& message) {
  return message.role == "assistant" ? "model" : message.role;
}

std::string content_of(const ChatMessage& message) {
  return role_of(message) == "model" ? without_thoughts(message.content)
                                     : std::string(trim_template_text(message.content));
}

std::string rendered_call(const ToolCall& call) {
  const auto& arguments = call.arguments;
  const auto inner = arguments.is_object()   ? tool_arguments(arguments)
                     : arguments.is_string() ? arguments.get<std::string>()
                                             : "";
  return "<|tool_call>call:" + call.name + "{" + inner + "}<tool_call|>";
}

// An answer is to the call with its id; the last one, should there be several.
std::string rendered_answer(const ChatMessage& answer, const std::vector<ToolCall>& calls) {
  const auto call = std::find_if(calls.rbegin(), calls.rend(),
                                 [&](const auto& entry) { return entry.id == answer.tool_call_id; });
  const auto name = call != calls.rend() ? call->name : answer.name.empty() ? "unknown" : answer.name;
  return "<|tool_response>response:" + name + "{value:" + tool_argument(answer.content, false) +
         "}<tool_response|>";
}

// The chat after its system turn, for the template that knows tools.
class TurnWriter {
 public:
  TurnWriter(std::span<const ChatMessage> messages, std::string& out) : messages_(messages), out_(out) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      if (messages[i].role == "user") after_last_user_ = i + 1;
    }
  }

  void write() {
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (messages_[i].role != "tool") write_turn(i);
    }
  }

  // A model that has called a tool goes on in its own turn.
  bool in_model_turn() const { return in_model_turn_; }

 private:
  void write_turn(std::size_t i) {
    const auto& message = messages_[i];
    const bool calls = !message.tool_calls.empty();
    if (!(role_of(message) == "model" && last_role_ == "assistant")) {
      out_ += "<|turn>" + role_of(message) + "\n";
    }
    last_role_ = message.role;
    if (!message.reasoning.empty() && i >= after_last_user_ && calls) {
      out_ += "<|channel>thought\n" + message.reasoning + "\n<channel|>";
    }
    for (const auto& call : message.tool_calls) {
      out_ += rendered_call(call);
    }
    bool answered = false;
    for (std::size_t k = i + 1; calls && k < messages_.size() && messages_[k].role == "tool"; ++k) {
      out_ += rendered_answer(messages_[k], message.tool_calls);
      answered = true;
    }
    out_ += content_of(message);
    if (calls && !answered) {
      out_ += "<|tool_response>";
    } else if (!answered || !message.content.empty()) {
      out_ += kTurnEnd;
    }
    in_model_turn_ = calls;
  }

  std::span<const ChatMessage> messages_;
  std::string& out_;
  std::size_t after_last_user_ = 0;
  std::string last_role_;
  bool in_model_turn_ = false;
};

void write_system_turn(ChatFormat format, const ChatMessage* system, const ChatOptions& options,
                       std::string& out) {
  if (!options.thinking && options.tools.empty() && system == nullptr) {
    return;
  }
  out += "<|turn>system\n";
  if (options.thinking) {
    out += format == ChatFormat::gemma4 ? "<|think|>\n" : "<|think|>";
  }
  if (system != nullptr) {
    out += trim_template_text(system->content);
  }
  for (const auto& tool : options.tools) {
    out += "<|tool>" + tool_declaration(tool) + "<tool|>";
  }
  out += kTurnEnd;
}

void write_first_turns(std::span<const ChatMessage> messages, std::string& out) {
  for (const auto& message : messages) {
    out += "<|turn>" + role_of(message) + "\n";
    out += content_of(message);
    out += kTurnEnd;
  }
}

void refuse_tools(std::span<const ChatMessage> messages, const ChatOptions& options) {
  const bool any = std::any_of(messages.begin(), messages.end(), [](const auto& message) {
    return message.role == "tool" || !message.tool_calls.empty();
  });
  if (any || !options.tools.empty()) {
    throw InputError(
        "the model's template is that of Gemma 4's first release, for which tools are not rendered here: "
        "take "
        "a model with the current template, or leave the tools away");
  }
}

std::string text_of(const json& object, const char* key, std::size_t index) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) {
    return "";
  }
  if (!it->is_string()) {
    throw InputError(fmt::format("messages[{}].{}: expected a text", index, key));
  }
  return it->get<std::string>();
}

ToolCall read_call(const json& call, std::size_t index) {
  if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) {
    throw InputError(fmt::format("messages[{}].tool_calls: expected functions", index));
  }
  const auto& function = call["function"];
  ToolCall out{text_of(call, "id", index), text_of(function, "name", index),
               function.value("arguments", json::object())};
  if (out.arguments.is_string()) {
    auto parsed = json::parse(out.arguments.get<std::string>(), nullptr, false);
    if (parsed.is_object()) out.arguments = std::move(parsed);
  }
  return out;
}

}  // namespace

std::optional<std::string> chat_template_of(const GgufFile& file) {
  constexpr std::string_view kKey = "tokenizer.chat_template";
  return file.has(kKey) ? std::optional(std::string(file.text(kKey))) : std::nullopt;
}

std::optional<std::string> hf_chat_template_of(const std::filesystem::path& folder) {
  if (const auto jinja = folder / "chat_template.jinja"; std::filesystem::exists(jinja)) {
    return std::string(MappedFile(jinja).text());
  }
  const auto config = read_checkpoint_json(folder / "tokenizer_config.json").value_or(json::object());
  const auto it = config.find("chat_template");
  return it != config.end() && it->is_string() ? std::optional(it->get<std::string>()) : std::nullopt;
}

ChatFormat chat_format(const std::optional<std::string>& template_text, const std::string& model,
                       bool force) {
  const auto sha256 = template_text ? sha256_hex(*template_text) : "";
  if (const auto known = known_chat_format(sha256)) {
    return *known;
  }
  if (force) {
    return ChatFormat::gemma4;
  }
  throw InputError(
      template_text
          ? fmt::format("{}: its chat template is none that is known here (SHA-256 {}); --force-template "
                        "renders Gemma 4's current one instead",
                        model, sha256)
          : fmt::format("{}: it has no chat template; --force-template renders Gemma 4's current one",
                        model));
}

std::string render_chat(ChatFormat format, std::span<const ChatMessage> messages,
                        const ChatOptions& options) {
  std::string out;
  const bool has_system = !messages.empty() && is_system(messages.front());
  write_system_turn(format, has_system ? &messages.front() : nullptr, options, out);
  const auto rest = messages.subspan(has_system ? 1 : 0);
  bool in_model_turn = false;
  if (format == ChatFormat::gemma4) {
    TurnWriter turns(rest, out);
    turns.write();
    in_model_turn = turns.in_model_turn();
  } else {
    refuse_tools(messages, options);
    write_first_turns(rest, out);
  }
  if (options.generation_prompt && (!in_model_turn || out.ends_with(kTurnEnd))) {
    out += "<|turn>model\n";
    // A turn closed after a call is the template's: llama-server opens the next one, and adds nothing else.
    if (!options.thinking && !in_model_turn) out += kNoThought;
  }
  return out;
}

std::vector<ChatMessage> read_chat_messages(const json& messages) {
  if (!messages.is_array()) {
    throw InputError("messages: expected an array");
  }
  std::vector<ChatMessage> out;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto& message = messages[i];
    if (!message.is_object() || text_of(message, "role", i).empty()) {
      throw InputError(fmt::format("messages[{}]: expected an object with a role", i));
    }
    out.push_back({text_of(message, "role", i),
                   text_of(message, "content", i),
                   text_of(message, "reasoning_content", i),
                   {},
                   text_of(message, "tool_call_id", i),
                   text_of(message, "name", i)});
    const auto calls = message.find("tool_calls");
    if (calls != message.end() && calls->is_array()) {
      for (const auto& call : *calls) out.back().tool_calls.push_back(read_call(call, i));
    }
  }
  return out;
}

}  // namespace gpqa
