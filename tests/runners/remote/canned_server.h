// A llama-server of stored answers (tests/data/llama-server): what an audit asks, answered as the real one
// did on the Gemma 4 template, with every answer replaceable.
#pragma once

#include <atomic>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "runners/remote/http_client.h"

namespace gpqa_test {

using Json = nlohmann::ordered_json;

inline std::string capture(const std::string& name) {
  std::ifstream in(std::string(GPQA_TEST_DATA) + "/llama-server/" + name, std::ios::binary);
  if (!in) {
    throw std::runtime_error("no capture " + name);
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Canned {
  int status = 200;
  std::string body;
};

class CannedServer {
 public:
  // From the request's body ("" for GET) to the answer.
  using Answer = std::function<Canned(const Json&)>;

  // Replace these before the first call.
  std::map<std::string, Answer> get = {{"/health",
                                        [](const Json&) {
                                          return Canned{200, capture("health.body")};
                                        }},
                                       {"/props",
                                        [](const Json&) {
                                          return Canned{200, capture("props.body")};
                                        }},
                                       {"/v1/models", [](const Json&) {
                                          return Canned{200, capture("v1_models.body")};
                                        }}};
  std::map<std::string, Answer> post = {{"/apply-template",
                                         [](const Json& body) {
                                           return Canned{200, gemma4_prompt(body)};
                                         }},
                                        {"/v1/chat/completions/input_tokens",
                                         [](const Json&) {
                                           return Canned{200, capture("input_tokens.body")};
                                         }},
                                        {"/tokenize", [](const Json& body) {
                                           return Canned{200, gemma4_tokens(body)};
                                         }}};
  // The three kinds of chat that an audit holds.
  Answer one_token = [](const Json& body) { return Canned{200, echoed_settings(body)}; };
  Answer probe = [](const Json&) { return Canned{200, capture("budget16_hit.body")}; };
  Answer greedy = [](const Json&) { return Canned{200, capture("logprobs.body")}; };

  CannedServer() {
    for (const char* path : {"/health", "/props", "/v1/models"}) {
      http_.Get(path, [this, path](const httplib::Request&, httplib::Response& response) {
        reply(path, get.at(path), Json(), response);
      });
    }
    for (const char* path : {"/apply-template", "/v1/chat/completions/input_tokens", "/tokenize"}) {
      http_.Post(path, [this, path](const httplib::Request& request, httplib::Response& response) {
        reply(path, post.at(path), Json::parse(request.body), response);
      });
    }
    http_.Post("/v1/chat/completions", [this](const httplib::Request& request, httplib::Response& response) {
      const Json body = Json::parse(request.body);
      const bool is_greedy = body.contains("logprobs");
      const bool is_probe = body.contains("return_tokens");
      reply(is_greedy  ? "greedy"
            : is_probe ? "probe"
                       : "one_token",
            is_greedy  ? greedy
            : is_probe ? probe
                       : one_token,
            body, response);
    });
    http_.set_tcp_nodelay(true);
    port_ = http_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { http_.listen_after_bind(); });
    while (!http_.is_running()) {
      std::this_thread::yield();
    }
  }
  ~CannedServer() {
    http_.stop();
    thread_.join();
  }
  CannedServer(const CannedServer&) = delete;
  CannedServer& operator=(const CannedServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // Bodies of the calls to a path ("greedy", "probe" and "one_token" for chats).
  std::vector<Json> calls(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return calls_[path];
  }
  // Replaces an answer by a capture or a text.
  void set(const std::string& path, int status, const std::string& body) {
    (get.contains(path) ? get : post)[path] = [=](const Json&) { return Canned{status, body}; };
  }
  void change_props(const std::function<void(Json&)>& change) {
    Json props = Json::parse(capture("props.body"));
    change(props);
    set("/props", 200, props.dump());
  }

  // enable_thinking as Gemma 4's template takes it.
  static std::string gemma4_prompt(const Json& body) {
    const std::string text = body.at("messages").at(0).at("content");
    const bool on =
        !body.contains("chat_template_kwargs") || body["chat_template_kwargs"]["enable_thinking"] == true;
    const std::string user = "<|turn>user\n" + text + "<turn|>\n<|turn>model\n";
    return Json({{"prompt", on ? "<|turn>system\n<|think|>\n<turn|>\n" + user
                               : user + "<|channel>thought\n<channel|>"}})
        .dump();
  }
  static std::string gemma4_tokens(const Json& body) {
    const std::string text = body.at("content");
    Json tokens = Json::array();
    if (text == "<|channel>thought") {
      tokens = {100, 45518};
    } else if (text == "<channel|>") {
      tokens.push_back(101);
    } else if (text == "<think>" || text == "</think>") {
      tokens = {7, text == "<think>" ? 8 : 9};
    } else {
      for (const char c : text) {
        tokens.push_back(1000 + static_cast<unsigned char>(c));
      }
    }
    return Json({{"tokens", tokens}}).dump();
  }
  // A real answer, whose settings are what was asked.
  static std::string echoed_settings(const Json& body) {
    Json answer = Json::parse(capture("chat_pinned.body"));
    Json& settings = answer["__verbose"]["generation_settings"];
    for (const auto& [name, value] : body.items()) {
      if (settings.contains(name)) {
        settings[name] = value;
      }
    }
    return answer.dump();
  }

 private:
  void reply(const std::string& path, const Answer& answer, const Json& body, httplib::Response& response) {
    {
      const std::lock_guard lock(mutex_);
      calls_[path].push_back(body);
    }
    const Canned canned = answer(body);
    response.status = canned.status;
    response.set_content(canned.body, "application/json; charset=utf-8");
  }

  httplib::Server http_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Json>> calls_;
  int port_ = 0;
  std::thread thread_;
};

inline gpqa::HttpOptions at(const CannedServer& server) {
  gpqa::HttpOptions options;
  options.url = server.url();
  return options;
}

}  // namespace gpqa_test
