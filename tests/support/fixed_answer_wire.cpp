#include "tests/support/fixed_answer_wire.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <utility>

namespace gpqa::test {
namespace {

constexpr const char* kPlainTemplate =
    "{%- for message in messages -%}\n  {{- '<|im_start|>' + message.role + '\\n' + message.content + "
    "'<|im_end|>\\n' -}}\n"
    "{%- endfor -%}\n{%- if add_generation_prompt -%}\n  {{- '<|im_start|>assistant\\n' -}}\n{%- endif -%}";

const Json& capture(const char* name) {
  static std::map<std::string, Json> read;
  auto [at, fresh] = read.try_emplace(name);
  if (fresh) {
    const std::string file = std::string(GPQA_TEST_DATA) + "/llama-server/" + name;
    std::ifstream in(file);
    if (!in) throw std::runtime_error("can't read " + file);
    at->second = Json::parse(in);
  }
  return at->second;
}

WireError bad_request(const std::string& message) {
  return {400, "invalid_request_error", message};
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// As llama-server reads a field: of the type of its default, null is absent, floats lose what a float can't
// hold.
Json read_field(const std::string& name, const Json& value, const Json& shape) {
  const auto refuse = [&](const char* wanted) {
    return bad_request("Field '" + name + "': [json.exception.type_error.302] type must be " + wanted +
                       ", but is " + value.type_name());
  };
  if (shape.is_number() && !value.is_number()) throw refuse("number");
  if (shape.is_string() && !value.is_string()) throw refuse("string");
  if (shape.is_boolean() && !value.is_boolean()) throw refuse("boolean");
  if (shape.is_array() && !value.is_array()) throw refuse("array");
  if (shape.is_number_float()) return static_cast<double>(static_cast<float>(value.get<double>()));
  if (shape.is_number_integer()) return static_cast<std::int64_t>(value.get<double>());
  return value;
}

bool wants_thinking(const Json& request, const ModelCard& card) {
  if (!card.gemma4) return false;
  bool on = card.thinks;
  if (request.value("reasoning_effort", Json()) == "none") on = false;
  if (const auto kwargs = request.find("chat_template_kwargs");
      kwargs != request.end() && kwargs->is_object())
    if (const auto flag = kwargs->find("enable_thinking"); flag != kwargs->end()) {
      if (!flag->is_boolean())
        throw bad_request("invalid type for \"enable_thinking\" (expected boolean, got string)");
      on = *flag;
    }
  return on;
}

const Json& messages_of(const Json& request) {
  const auto messages = request.find("messages");
  if (messages == request.end()) throw bad_request("'messages' is required");
  if (!messages->is_array()) throw bad_request("Expected 'messages' to be an array");
  for (const Json& message : *messages) {
    if (!message.is_object() || !message.contains("role")) throw bad_request("Missing 'role' in message");
    if (!message.contains("content") || !message["content"].is_string())
      throw bad_request("Expected 'content' to be a string");
  }
  return *messages;
}

void read_stops(const Json& request, ChatRequest& chat) {
  const auto stop = request.find("stop");
  if (stop == request.end() || stop->is_null()) return;
  if (stop->is_string()) chat.stop = {stop->get<std::string>()};
  if (stop->is_array()) chat.stop = stop->get<std::vector<std::string>>();
}

void read_settings(const Json& request, const Json& forced, ChatRequest& chat) {
  chat.settings = capture("chat_nonstream_verbose.body")["__verbose"]["generation_settings"];
  chat.settings["seed"] = 4294967295u;
  chat.settings["max_tokens"] = chat.settings["n_predict"] = -1;
  chat.settings["stop"] = Json::array();
  for (const auto& [name, value] : request.items())
    if (!value.is_null() && chat.settings.contains(name) && name != "stop" && name != "stream" &&
        name != "logit_bias")
      chat.settings[name] = read_field(name, value, chat.settings[name]);
  if (chat.settings["dry_penalty_last_n"] < 0)
    throw bad_request("Field 'dry_penalty_last_n': value must be greater than or equal to 0");
  if (chat.settings["dry_sequence_breakers"].empty())
    throw bad_request("Error: dry_sequence_breakers must be a non-empty array of strings");
  if (chat.settings["dry_base"] < 1.0) chat.settings["dry_base"] = 1.75;
  for (const char* name : {"max_tokens", "max_completion_tokens", "n_predict"})
    if (const auto at = request.find(name); at != request.end() && !at->is_null())
      chat.max_tokens = static_cast<std::int64_t>(read_field(name, *at, Json(1)));
  chat.settings["max_tokens"] = chat.settings["n_predict"] = chat.max_tokens;
  chat.settings["seed"] = static_cast<std::uint32_t>(chat.settings["seed"].get<std::int64_t>());
  chat.settings["stop"] = chat.stop;
  chat.settings["stream"] = chat.stream;
  for (const auto& [name, value] : forced.items()) chat.settings[name] = value;
}

}  // namespace

std::string WireError::body() const {
  return Json{{"error", {{"code", status_}, {"message", what()}, {"type", type_}}}}.dump();
}

std::int64_t count_tokens(std::string_view prompt) {
  return 1 + static_cast<std::int64_t>(split_tokens(prompt).size());
}

std::string apply_template(const Json& request, const ModelCard& card) {
  const Json& messages = messages_of(request);
  std::string prompt;
  if (!card.gemma4) {
    for (const Json& message : messages)
      prompt += "<|im_start|>" + message["role"].get<std::string>() + "\n" +
                message["content"].get<std::string>() + "<|im_end|>\n";
    return prompt + "<|im_start|>assistant\n";
  }
  const bool thinking = wants_thinking(request, card);
  std::string system = thinking ? "<|think|>\n" : "";
  for (const Json& message : messages) {
    const std::string role = message["role"], text = trimmed(message["content"]);
    if (role == "system")
      system += text;
    else
      prompt += "<|turn>" + std::string(role == "assistant" ? "model" : "user") + "\n" + text + "<turn|>\n";
  }
  if (!system.empty()) prompt = "<|turn>system\n" + system + "<turn|>\n" + prompt;
  prompt += "<|turn>model\n";
  return thinking ? prompt : prompt + "<|channel>thought\n<channel|>";
}

ChatRequest read_chat_request(const std::string& body, const ModelCard& card, const Json& forced) {
  Json request;
  try {
    request = Json::parse(body);
  } catch (const Json::exception& e) {
    throw bad_request(e.what());
  }
  if (!request.is_object()) throw bad_request("'messages' is required");
  ChatRequest chat;
  try {
    chat.prompt = apply_template(request, card);
    for (const Json& message : request["messages"])
      if (message["role"] == "user") chat.question = message["content"];
    chat.thinking = wants_thinking(request, card);
    chat.stream = request.value("stream", false);
    chat.verbose = request.value("verbose", false);
    chat.return_tokens = request.value("return_tokens", false);
    chat.token_timings = request.value("timings_per_token", false);
    if (const auto options = request.find("stream_options"); options != request.end() && options->is_object())
      chat.usage = options->value("include_usage", false);
    if (request.value("logprobs", false)) chat.top_logprobs = request.value("top_logprobs", std::int64_t{0});
    read_stops(request, chat);
    read_settings(request, forced, chat);
    for (const char* name : {"thinking_budget_tokens", "reasoning_budget_tokens"})
      if (const auto at = request.find(name); at != request.end() && !at->is_null()) {
        const auto budget = static_cast<std::int64_t>(read_field(name, *at, Json(1)));
        if (budget >= 0) chat.budget = budget;
      }
    chat.budget_message = request.value("reasoning_budget_message", "");
  } catch (const Json::exception& e) {
    throw bad_request(e.what());
  }
  chat.prompt_tokens = count_tokens(chat.prompt);
  if (chat.prompt_tokens >= card.n_ctx)
    throw WireError(400, "exceed_context_size_error",
                    "request (" + std::to_string(chat.prompt_tokens) +
                        " tokens) exceeds the available context size (" + std::to_string(card.n_ctx) +
                        " tokens), try increasing it");
  const bool draws = chat.settings["temperature"] > 0.0;
  chat.seed = draws ? chat.settings["seed"].get<std::uint32_t>() : 0;
  chat.tags_in_content = chat.settings["reasoning_format"] == "none";
  chat.settings["chat_format"] = card.gemma4 ? "peg-gemma4" : "peg-native";
  if (!card.gemma4) chat.settings["preserved_tokens"] = Json::array();
  chat.settings["generation_prompt"] = !card.gemma4    ? "<|im_start|>assistant\n"
                                       : chat.thinking ? "<|turn>model\n"
                                                       : "<|turn>model\n<|channel>thought\n<channel|>";
  return chat;
}

Json props(const ModelCard& card, const Json& forced) {
  Json json = capture("props.body");
  json["default_generation_settings"]["n_ctx"] = card.n_ctx;
  for (const auto& [name, value] : forced.items())
    json["default_generation_settings"]["params"][name] = value;
  json["total_slots"] = card.slots;
  json["model_alias"] = card.id;
  json["model_path"] = card.path;
  json["model_ftype"] = card.ftype;
  json["build_info"] = card.build;
  if (!card.gemma4) json["chat_template"] = kPlainTemplate;
  return json;
}

Json models(const ModelCard& card) {
  Json json = capture("v1_models.body");
  Json& model = json["data"][0];
  model["id"] = card.id;
  model["aliases"] = {card.id};
  model["meta"]["n_ctx"] = card.n_ctx;
  model["meta"]["n_params"] = card.n_params;
  model["meta"]["size"] = card.bytes;
  model["meta"]["n_vocab"] = card.n_vocab;
  model["meta"]["ftype"] = card.ftype;
  json["models"][0]["name"] = json["models"][0]["model"] = card.id;
  return json;
}

Json slots(const ModelCard& card) {
  Json all = Json::array();
  for (std::int64_t i = 0; i < card.slots; ++i)
    all.push_back({{"id", i}, {"n_ctx", card.n_ctx}, {"speculative", false}, {"is_processing", false}});
  return all;
}

Json tokenize(const Json& request) {
  const bool pieces = request.value("with_pieces", false);
  Json tokens = Json::array();
  if (request.value("add_special", false))
    tokens.push_back(pieces ? Json{{"id", 2}, {"piece", "<bos>"}} : Json(2));
  for (const std::string& text : split_tokens(request.value("content", ""))) {
    const auto id = token_id(text);
    tokens.push_back(pieces ? Json{{"id", id}, {"piece", text}} : Json(id));
  }
  return {{"tokens", tokens}};
}

AnswerWriter::AnswerWriter(const ModelCard& card, const ChatRequest& request, const Generated& generated,
                           std::uint64_t number)
    : card_(card), request_(request), generated_(generated), created_(std::time(nullptr)) {
  id_ = "chatcmpl-" + std::to_string(number);
  const Json tail = {{"created", created_},
                     {"id", id_},
                     {"model", card.id},
                     {"system_fingerprint", card.build},
                     {"object", "chat.completion.chunk"}};
  event_tail_ = tail.dump().substr(1);
}

// One millisecond a token. Text, not a JSON tree: it may be part of every event.
std::string AnswerWriter::timings(std::size_t predicted) const {
  const std::string n = std::to_string(predicted), prompt = std::to_string(request_.prompt_tokens);
  return R"({"cache_n":0,"prompt_n":)" + prompt +
         R"(,"prompt_ms":1.5,"prompt_per_token_ms":0.25,"prompt_per_second":4000.0,"predicted_n":)" + n +
         R"(,"predicted_ms":)" + n + R"(.0,"predicted_per_token_ms":1.0,"predicted_per_second":1000.0})";
}

Json AnswerWriter::usage() const {
  const auto n = static_cast<std::int64_t>(generated_.tokens.size());
  return {{"completion_tokens", n},
          {"prompt_tokens", request_.prompt_tokens},
          {"total_tokens", request_.prompt_tokens + n},
          {"prompt_tokens_details", {{"cached_tokens", 0}}}};
}

Json AnswerWriter::verbose(bool streaming) const {
  Json json = capture("chat_nonstream_verbose.body")["__verbose"];
  Json tokens = Json::array();
  if (!streaming && request_.return_tokens)
    for (const Token& token : generated_.tokens) tokens.push_back(token_id(token.text));
  json["content"] = streaming ? "" : generated_.raw();
  json["tokens"] = std::move(tokens);
  json["id_slot"] = 0;
  json["model"] = card_.id;
  json["tokens_predicted"] = generated_.tokens.size();
  json["tokens_evaluated"] = request_.prompt_tokens;
  json["generation_settings"] = request_.settings;
  json["prompt"] = "<bos>" + request_.prompt;
  json["has_new_line"] = generated_.raw().find('\n') != std::string::npos;
  json["truncated"] = generated_.truncated;
  json["stop_type"] = generated_.stop_type;
  json["stopping_word"] = generated_.stopping_word;
  json["tokens_cached"] = request_.prompt_tokens + static_cast<std::int64_t>(generated_.tokens.size()) - 1;
  json["timings"] = Json::parse(timings(generated_.tokens.size()));
  return json;
}

// Two alternatives for every token; the values mean nothing but are the same every time.
Json AnswerWriter::logprob(const Token& token) const {
  const auto entry = [](const std::string& text, double value) {
    Json bytes = Json::array();
    for (const unsigned char c : text) bytes.push_back(c);
    return Json{{"id", token_id(text)}, {"token", text}, {"bytes", bytes}, {"logprob", value}};
  };
  Json json = entry(token.text, -0.125);
  Json top = Json::array();
  for (std::int64_t i = 0; i < std::min<std::int64_t>(request_.top_logprobs, 20); ++i)
    top.push_back(i == 0 ? entry(token.text, -0.125)
                         : entry(token.text + static_cast<char>('a' + i), -2.5 - static_cast<double>(i)));
  json["top_logprobs"] = std::move(top);
  return json;
}

std::string AnswerWriter::whole() const {
  const std::string reasoning = generated_.text(Token::Part::reasoning);
  std::string content = generated_.text(Token::Part::content);
  // Cut before the thought's first word, the tags themselves are the content.
  const bool tags_only = !generated_.tokens.empty() && generated_.tokens.back().part == Token::Part::tag &&
                         reasoning.empty() && content.empty();
  if (request_.tags_in_content || tags_only) content = generated_.raw();
  Json message = {{"role", "assistant"}, {"content", content}};
  if (!reasoning.empty() && !request_.tags_in_content) message["reasoning_content"] = reasoning;
  Json choice = {{"finish_reason", generated_.finish_reason}, {"index", 0}, {"message", message}};
  if (request_.top_logprobs >= 0) {
    Json all = Json::array();
    for (const Token& token : generated_.tokens) all.push_back(logprob(token));
    choice["logprobs"] = {{"content", all}};
  }
  Json json = {{"choices", {choice}},
               {"created", created_},
               {"model", card_.id},
               {"system_fingerprint", card_.build},
               {"object", "chat.completion"},
               {"usage", usage()},
               {"id", id_}};
  if (request_.verbose) json["__verbose"] = verbose(false);
  json["timings"] = Json::parse(timings(generated_.tokens.size()));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string AnswerWriter::event(Json delta, const Json& finish, const Json* verbose, bool timed) const {
  Json choice = {{"finish_reason", finish}, {"index", 0}, {"delta", std::move(delta)}};
  std::string text = "data: {\"choices\":[" + choice.dump(-1, ' ', false, Json::error_handler_t::replace) +
                     "]," + event_tail_;
  if (verbose)
    text.insert(text.size() - 1,
                ",\"__verbose\":" + verbose->dump(-1, ' ', false, Json::error_handler_t::replace));
  if (timed) text.insert(text.size() - 1, ",\"timings\":" + timings(generated_.tokens.size()));
  return text + "\n\n";
}

std::string AnswerWriter::first_event() const {
  return event({{"role", "assistant"}, {"content", nullptr}}, nullptr, nullptr, false);
}

std::string AnswerWriter::token_event(std::size_t index) const {
  const Token& token = generated_.tokens[index];
  const bool in_content =
      token.part == Token::Part::content || (request_.tags_in_content && token.part != Token::Part::end);
  if (token.text.empty() || (token.part == Token::Part::tag && !in_content)) return {};
  // The hot path of a bench: no JSON tree.
  std::string text = "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"";
  text += in_content ? "content" : "reasoning_content";
  text += "\":";
  text += Json(token.text).dump(-1, ' ', false, Json::error_handler_t::replace);
  text += '}';
  if (request_.top_logprobs >= 0) text += ",\"logprobs\":{\"content\":[" + logprob(token).dump() + "]}";
  text += "}],";
  text += event_tail_;
  if (request_.token_timings) {
    text.back() = ',';
    text += "\"timings\":" + timings(index + 1) + "}";
  }
  return text + "\n\n";
}

std::string AnswerWriter::last_events() const {
  const Json settings = request_.verbose ? verbose(true) : Json();
  std::string text = event(Json::object(), generated_.finish_reason, request_.verbose ? &settings : nullptr,
                           !request_.usage);
  if (request_.usage) {
    std::string last = "data: {\"choices\":[]," + event_tail_;
    last.insert(last.size() - 1,
                ",\"usage\":" + usage().dump() + ",\"timings\":" + timings(generated_.tokens.size()));
    text += last + "\n\n";
  }
  return text + "data: [DONE]\n\n";
}

}  // namespace gpqa::test
