// A chat as Gemma 4's own template renders it for llama-server: turns, thoughts, tools.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "runners/model_files/gguf_file.h"
#include "runners/model_files/known_templates.h"

namespace gpqa {

struct ToolCall {
  std::string id = {};
  std::string name = {};
  nlohmann::json arguments = {};  // an object; a string stands in the prompt as it is
};

struct ChatMessage {
  std::string role;  // system, developer, user, assistant, tool
  std::string content = {};
  std::string reasoning = {};
  std::vector<ToolCall> tool_calls = {};
  std::string tool_call_id = {};  // of a tool's answer
  std::string name = {};          // of the tool that answers, where its call isn't found
};

struct ChatOptions {
  bool thinking = true;  // llama-server's default, not transformers'
  bool generation_prompt = true;
  nlohmann::json tools = nlohmann::json::array();  // as OpenAI's API has them
};

// The template that a model carries: in GGUF's `tokenizer.chat_template`, in a checkpoint's
// chat_template.jinja or its tokenizer_config.json.
std::optional<std::string> chat_template_of(const GgufFile& file);
std::optional<std::string> hf_chat_template_of(const std::filesystem::path& folder);

// Which format a template is. Throws InputError if there is none or it isn't known; `force` takes Gemma 4's
// instead. `model` is for messages.
ChatFormat chat_format(const std::optional<std::string>& template_text, const std::string& model, bool force);

// The prompt without `<bos>`, which tokenizing adds. What a message spells is not escaped: tokenized with
// parse_special, `<turn|>` in a user's text ends the turn and `<|channel>` opens a thought, as in
// llama-server. White space around texts is cut as llama-server cuts it (ASCII's), and keys of tools are
// sorted by their bytes; transformers cuts Unicode's and sorts without regard to case. Throws InputError for
// tools in a format that doesn't render them, and for arguments nested too deeply.
std::string render_chat(ChatFormat format, std::span<const ChatMessage> messages, const ChatOptions& options);

// `messages` of a chat request. Arguments that are JSON in a string become what they say. Throws InputError
// for a message that isn't text.
std::vector<ChatMessage> read_chat_messages(const nlohmann::json& messages);

}  // namespace gpqa
