// Other tests trust this server to answer as llama-server does.
#include "tests/support/fixed_answer_server.h"

#include <fstream>
#include <set>
#include <sstream>

#include <httplib.h>

#include "tests/catch.h"

using namespace gpqa::test;

namespace {

Json capture(const std::string& name) {
  std::ifstream in(std::string(GPQA_TEST_DATA) + "/llama-server/" + name);
  return Json::parse(in);
}

void add_keys(const Json& json, const std::string& at, std::set<std::string>& keys) {
  if (json.is_object())
    for (const auto& [key, value] : json.items()) {
      std::string path = at;
      path.append("/").append(key);
      add_keys(value, path, keys);
      keys.insert(std::move(path));
    }
  if (json.is_array() && !json.empty()) add_keys(json.front(), at + "[]", keys);
}

std::set<std::string> keys_of(const Json& json) {
  std::set<std::string> keys;
  add_keys(json, "", keys);
  return keys;
}

struct Asked {
  explicit Asked(const FixedAnswerServer& server) : client(server.url()) { client.set_read_timeout(20); }

  httplib::Result post(const std::string& path, const Json& body) {
    return client.Post(path, body.dump(), "application/json");
  }
  Json whole(const Json& body) {
    const auto result = post("/v1/chat/completions", body);
    REQUIRE(result);
    return Json::parse(result->body);
  }
  std::vector<Json> events(Json body) {
    body["stream"] = true;
    const auto result = post("/v1/chat/completions", body);
    REQUIRE(result);
    CHECK(result->get_header_value("Content-Type") == "text/event-stream");
    std::vector<Json> all;
    std::istringstream lines(result->body);
    std::string last;
    for (std::string line; std::getline(lines, line);) {
      if (line.empty()) continue;
      REQUIRE(line.rfind("data: ", 0) == 0);
      last = line.substr(6);
      if (last != "[DONE]") all.push_back(Json::parse(last));
    }
    CHECK(last == "[DONE]");
    return all;
  }

  httplib::Client client;
};

Json ask(const std::string& prompt) {
  return {{"messages", {{{"role", "user"}, {"content", prompt}}}},
          {"seed", 7},
          {"temperature", 1.0},
          {"verbose", true}};
}

std::string joined(const std::vector<Json>& events, const char* key) {
  std::string text;
  for (const Json& event : events)
    if (!event["choices"].empty() && event["choices"][0]["delta"].contains(key) &&
        event["choices"][0]["delta"][key].is_string())
      text += event["choices"][0]["delta"][key];
  return text;
}

}  // namespace

TEST_CASE("what it shows has the keys that a real server shows") {
  const FixedAnswerServer server({});
  Asked asked(server);
  CHECK(keys_of(Json::parse(asked.client.Get("/props")->body)) == keys_of(capture("props.body")));
  CHECK(keys_of(Json::parse(asked.client.Get("/v1/models")->body)) == keys_of(capture("v1_models.body")));
  CHECK(asked.client.Get("/health")->body == capture("health.body").dump());
  CHECK(asked.client.Get("/nothing")->status == 404);
  CHECK(nlohmann::json(Json::parse(asked.client.Get("/nothing")->body)) ==
        nlohmann::json(capture("err_404.body")));
  CHECK(keys_of(asked.whole(ask("Hi"))) == keys_of(capture("chat_nonstream_verbose.body")));
  Json probabilities = ask("Hi");
  probabilities.erase("verbose");
  probabilities["logprobs"] = true;
  probabilities["top_logprobs"] = 3;
  CHECK(keys_of(asked.whole(probabilities)) == keys_of(capture("logprobs.body")));
}

TEST_CASE("the template is applied as the real server applies it") {
  const FixedAnswerServer server({});
  Asked asked(server);
  const Json body = {
      {"messages",
       {{{"role", "user"}, {"content", " What is the correct answer?\n\nA) x\nB) y\nC) z\nD) w\n"}}}}};
  CHECK(Json::parse(asked.post("/apply-template", body)->body) == capture("apply_template.body"));
}

TEST_CASE("a stream brings the same answer as a whole body") {
  const FixedAnswerServer server({});
  Asked asked(server);
  for (const char* prompt : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    Json body = ask(prompt);
    body["stream_options"] = {{"include_usage", true}};
    const Json whole = asked.whole(body);
    const auto events = asked.events(body);
    const Json& message = whole["choices"][0]["message"];
    CHECK(joined(events, "content") == message["content"]);
    CHECK(joined(events, "reasoning_content") == message["reasoning_content"]);
    CHECK(events.back()["usage"] == whole["usage"]);
    CHECK(events.back()["choices"].empty());
    CHECK(events[events.size() - 2]["choices"][0]["finish_reason"] == "stop");
    Json settings = events[events.size() - 2]["__verbose"]["generation_settings"];
    CHECK(settings["stream"] == true);
    settings["stream"] = false;
    CHECK(settings == whole["__verbose"]["generation_settings"]);
  }
}

TEST_CASE("timings of each token count what was generated, shown or not") {
  const FixedAnswerServer server({});
  Asked asked(server);
  Json body = ask("b");
  body["timings_per_token"] = true;
  const auto events = asked.events(body);
  // Two tags and a newline come before the first word.
  CHECK(events[1]["timings"]["predicted_n"] == 4);
  CHECK(events[2]["timings"]["predicted_n"] == 5);
  CHECK(keys_of(events[1]["timings"]) == keys_of(capture("chat_nonstream_verbose.body")["timings"]));
}

TEST_CASE("a budget of 16 cuts the thought at 16 tokens") {
  const FixedAnswerServer server({});
  Asked asked(server);
  Json body = ask("Think.");
  body["reasoning_budget_tokens"] = 16;
  body["return_tokens"] = true;
  const Json verbose = asked.whole(body)["__verbose"];
  const auto tags = tokenize({{"content", "<|channel>thought<channel|>"}})["tokens"];
  REQUIRE(tags.size() == 3);
  const auto& tokens = verbose["tokens"];
  CHECK(tokens[0] == tags[0]);
  CHECK(tokens[1] == tags[1]);
  CHECK(tokens[18] == tags[2]);
}

TEST_CASE("max_tokens cuts in the thought and in the answer") {
  const FixedAnswerServer server({});
  Asked asked(server);
  Json body = ask("Cut.");
  body["max_tokens"] = 6;
  Json whole = asked.whole(body);
  CHECK(whole["choices"][0]["finish_reason"] == "length");
  CHECK(whole["choices"][0]["message"]["content"].get<std::string>().empty());
  CHECK(whole["usage"]["completion_tokens"] == 6);
  body["max_tokens"] = 2;
  whole = asked.whole(body);
  CHECK(whole["choices"][0]["message"]["content"] == "<|channel>thought");
  CHECK_FALSE(whole["choices"][0]["message"].contains("reasoning_content"));
}

TEST_CASE("what was asked is read back; a forced setting is not") {
  FixedAnswerOptions options;
  options.forced = {{"min_p", 0.25}};
  const FixedAnswerServer server(options);
  Asked asked(server);
  Json body = ask("Hi");
  body["min_p"] = 0.5;
  body["top_p"] = 0.9;
  const Json settings = asked.whole(body)["__verbose"]["generation_settings"];
  CHECK(settings["seed"] == 7);
  CHECK(settings["top_p"] == static_cast<double>(0.9f));
  CHECK(settings["min_p"] == 0.25);
}

TEST_CASE("requests that a real server refuses are refused") {
  const FixedAnswerServer server({});
  Asked asked(server);
  const auto status = [&](const Json& change) {
    Json body = ask("Hi");
    body.update(change);
    return asked.post("/v1/chat/completions", body)->status;
  };
  CHECK(status({{"temperature", "hot"}}) == 400);
  CHECK(status({{"dry_penalty_last_n", -1}}) == 400);
  CHECK(status({{"dry_sequence_breakers", Json::array()}}) == 400);
  CHECK(status({{"chat_template_kwargs", {{"enable_thinking", "true"}}}}) == 400);
  CHECK(asked.post("/v1/chat/completions", Json::object())->status == 400);
  CHECK(status({{"messages", {{{"role", "user"}, {"content", std::string(200000, '.')}}}}}) == 400);
}

TEST_CASE("tokens together are the text") {
  for (const char* text :
       {"", " ", "The answer is (B).\n\n  x", "<|channel>thought\n<b<channel|>", "naïve — 🙂  <"}) {
    std::string all;
    for (const std::string& token : split_tokens(text)) {
      CHECK_FALSE(token.empty());
      all += token;
    }
    CHECK(all == text);
  }
}

TEST_CASE("it ends although an answer is on its way") {
  FixedAnswerOptions options;
  options.deltas = 100000;
  options.delay_ms = 5;
  auto server = std::make_unique<FixedAnswerServer>(options);
  bool failed = false;
  std::thread reader([&, url = server->url()] {
    httplib::Client client(url);
    Json body = ask("Hi");
    body["stream"] = true;
    failed = !client.Post("/v1/chat/completions", body.dump(), "application/json");
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  server.reset();
  reader.join();
  CHECK(failed);
}
