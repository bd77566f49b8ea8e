#include <random>

#include "prompts/input_error.h"
#include "runners/model_files/gguf_reader.h"
#include "runners/remote/fingerprint.h"
#include "runners/remote/served_model.h"
#include "runners/remote/server_audit.h"
#include "runners/runner_errors.h"
#include "tests/catch.h"
#include "tests/runners/remote/canned_server.h"

namespace gpqa {
namespace {

using Catch::Contains;
using gpqa_test::Canned;
using gpqa_test::CannedServer;
using gpqa_test::capture;
using gpqa_test::Json;

const std::string kTiny = GPQA_TEST_DATA "/gemma4/tiny-q4_k_m.gguf";

// Every field that the captured answers report, as the card's command has them.
SamplingConfig card() {
  SamplingConfig s;
  s.temperature = 1.0;
  s.top_k = 64;
  s.top_p = 0.95;
  s.min_p = 0.05;
  s.dry_multiplier = 0.5;
  s.dry_penalty_last_n = 32768;
  s.reasoning_format = "deepseek";
  s.reasoning_budget = 8192;
  s.max_tokens = 12288;
  s.thinking = Thinking::required;
  return s;
}

AuditPlan card_plan() {
  AuditPlan plan;
  plan.sampling = card();
  plan.longest_prompt = "What is the correct answer?";
  return plan;
}

RunnerInfo audit(
    const CannedServer& server, const AuditPlan& plan = card_plan(),
    const std::function<void(std::string_view)>& say = [](std::string_view) {}) {
  HttpClient http(gpqa_test::at(server));
  return audit_server(http, plan, say);
}

// The text of the refusal; "" if the audit passed.
std::string refusal(const CannedServer& server, const AuditPlan& plan = card_plan()) {
  try {
    audit(server, plan);
  } catch (const AuditRefused& refused) {
    return refused.what();
  }
  return "";
}

std::string notes(const RunnerInfo& info) {
  std::string text;
  for (const auto& note : info.notes) {
    text += note + "\n";
  }
  return text;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++n;
  }
  return n;
}

TEST_CASE("a server as the plan wants it is described whole") {
  const CannedServer server;
  const auto info = audit(server);
  CHECK(info.kind == "llama-server");
  CHECK(info.url == server.url());
  CHECK(info.build == "b0-unknown");
  CHECK(info.model_path == "models/toy-gemma4-bigram.gguf");
  CHECK(info.model_id == "models/toy-gemma4-bigram.gguf");
  CHECK(info.quant == "F16");
  CHECK(info.n_params == 33604304);
  CHECK(info.model_bytes == 67210048);
  CHECK(info.slots == 4);
  CHECK(info.slot_context == 32768);
  CHECK(info.context_pool == 32768);
  CHECK(info.concurrency == 2);  // 2 * (17 + 12288) of 32768 cells that four slots may share
  CHECK(info.chat_template_name == "gemma-4");
  CHECK(info.thinking == "on");
  CHECK(info.budget_probe == "cut at 16");
  CHECK(info.server_defaults.at("min_p") == "0.05000000074505806");
  CHECK(info.server_defaults.at("dry_penalty_last_n") == "64");
  CHECK(Json::parse(info.fingerprint)["tokens"].size() == 4);
  CHECK_THAT(notes(info), Contains("2 requests at a time, not 4"));
}

TEST_CASE("a loading server is waited for, in words, and not for ever") {
  CannedServer server;
  const std::string text = capture("loading_503.txt");
  const std::string body = text.substr(text.find('{'), 75);
  std::atomic<int> asked = 0;
  server.get["/health"] = [&](const Json&) {
    return ++asked < 3 ? Canned{503, body} : Canned{200, capture("health.body")};
  };
  int heard = 0;
  audit(server, card_plan(),
        [&](std::string_view words) { heard += words.find("loads its model") != words.npos; });
  CHECK(heard == 2);

  server.set("/health", 503, body);
  auto plan = card_plan();
  plan.load_timeout_s = 0;
  CHECK_THAT(refusal(server, plan), Contains("still loads its model") && Contains("Loading model"));
}

TEST_CASE("something else than a llama-server with one model is refused") {
  CannedServer server;
  SECTION("no /health") {
    server.set("/health", 404, "<html>nginx</html>");
    CHECK_THAT(refusal(server), Contains("Is it a llama-server?"));
  }
  SECTION("no /props") {
    server.set("/props", 404, capture("err_404.body"));
    CHECK_THAT(refusal(server), Contains("/props answers HTTP 404: File Not Found"));
  }
  SECTION("no JSON") {
    server.set("/props", 200, "<html>");
    CHECK_THAT(refusal(server), Contains("something else than JSON"));
  }
  SECTION("a router") {
    server.change_props([](Json& props) { props.erase("model_path"); });
    CHECK_THAT(refusal(server), Contains("a router?") && Contains("-m MODEL"));
  }
  SECTION("no model") {
    server.set("/v1/models", 200, R"({"data":[]})");
    CHECK_THAT(refusal(server), Contains("/v1/models names no model"));
    server.set("/v1/models", 404, capture("err_404.body"));
    CHECK_THAT(refusal(server), Contains("HTTP 404: File Not Found"));
  }
  SECTION("no context") {
    server.change_props([](Json& props) { props["default_generation_settings"].erase("n_ctx"); });
    CHECK_THAT(refusal(server), Contains("n_ctx"));
  }
}

TEST_CASE("a server that wants a key is refused at whichever endpoint it says so") {
  CannedServer server;
  const auto path = GENERATE(as<std::string>(), "/props", "/v1/models", "/apply-template",
                             "/v1/chat/completions/input_tokens", "one_token", "probe", "greedy");
  const CannedServer::Answer denied = [](const Json&) { return Canned{401, capture("err_wrong_key.body")}; };
  if (path.starts_with('/')) {
    (server.get.contains(path) ? server.get : server.post)[path] = denied;
  } else {
    (path == "probe" ? server.probe : path == "greedy" ? server.greedy : server.one_token) = denied;
  }
  CHECK_THAT(refusal(server), Contains("wants a key (HTTP 401") && Contains("--api-key-env"));
}

TEST_CASE("answers that might not fit the context are refused with the sum and the flag") {
  CannedServer server;
  server.set("/props", 200, capture("np4_props.body"));  // -c 32768 -np 4
  const auto text = refusal(server);
  CHECK_THAT(text, Contains("12305 tokens (longest prompt 17 + max_tokens 12288), but a slot holds 8192"));
  CHECK_THAT(text, Contains("-c 12544 -np 1"));  // the next multiple of 256

  auto plan = card_plan();
  plan.sampling.max_tokens = 8192 - 17;
  CHECK(refusal(server, plan).empty());
  plan.sampling.max_tokens += 1;
  CHECK_FALSE(refusal(server, plan).empty());

  CannedServer large;
  plan = card_plan();
  plan.declared_pool = 12304;
  CHECK_THAT(refusal(large, plan), Contains("declares a pool of 12304"));
}

TEST_CASE("requests at a time follow slots, context and the plan") {
  CannedServer server;
  auto plan = card_plan();
  SECTION("fewer than could be is the plan's choice and needs no word") {
    plan.wanted_concurrency = 1;
    const auto info = audit(server, plan);
    CHECK(info.concurrency == 1);
    CHECK_THAT(notes(info), !Contains("at a time"));
  }
  SECTION("more than the context holds is lowered") {
    plan.wanted_concurrency = 4;
    const auto info = audit(server, plan);
    CHECK(info.concurrency == 2);
    CHECK_THAT(notes(info), Contains("2 requests at a time, not 4: answers can take 12305 tokens each"));
  }
  SECTION("more than there are slots is lowered") {
    plan.wanted_concurrency = 9;
    plan.declared_pool = 4 * 32768;
    const auto info = audit(server, plan);
    CHECK(info.concurrency == 4);
    CHECK(info.context_pool == 131072);
    CHECK_THAT(notes(info), Contains("4 requests at a time, not 9: the server has no more slots"));
  }
  SECTION("a declared pool lets all slots work") {
    plan.declared_pool = 4 * 32768;
    const auto info = audit(server, plan);
    CHECK(info.concurrency == 4);
    CHECK_THAT(notes(info), !Contains("at a time"));
  }
}

TEST_CASE("as many answers at a time as surely fit, and no fewer") {
  std::mt19937_64 random(7);
  const auto up_to = [&](std::int64_t most) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most + 1));
  };
  for (int i = 0; i < 100000; ++i) {
    const auto slots = up_to(64);
    const auto pool = up_to(200000);
    const auto prompt = up_to(5000);
    const auto answer = 1 + up_to(30000);
    const auto n = safe_concurrency(slots, pool, prompt, answer);
    REQUIRE(n >= 0);
    REQUIRE(n <= slots);
    REQUIRE(n * (prompt + answer) <= pool);
    REQUIRE((n == slots || (n + 1) * (prompt + answer) > pool));
  }
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  CHECK(safe_concurrency(4, kMost, kMost, 12288) == 1);
  CHECK(safe_concurrency(4, 32768, kMost, kMost) == 0);
  CHECK(safe_concurrency(4, -1, 10, 10) == 0);
  CHECK(safe_concurrency(4, 32768, 0, 0) == 0);
}

TEST_CASE("the longest prompt is counted exactly, or never too low") {
  CannedServer server;
  auto plan = card_plan();
  plan.longest_prompt = std::string(40, 'a');
  plan.sampling.max_tokens = 32768;  // so that the refusal shows the count
  CHECK_THAT(refusal(server, plan), Contains("longest prompt 17 "));
  CHECK(server.calls("/v1/chat/completions/input_tokens").at(0)["chat_template_kwargs"]["enable_thinking"] ==
        true);

  server.set("/v1/chat/completions/input_tokens", 404, capture("err_404.body"));
  const auto rendered =
      Json::parse(CannedServer::gemma4_prompt(server.calls("/v1/chat/completions/input_tokens")[0]));
  const auto bytes = rendered["prompt"].get<std::string>().size();
  CHECK_THAT(refusal(server, plan), Contains("longest prompt " + std::to_string(bytes) + " "));
  const auto split = server.calls("/tokenize");
  CHECK(std::any_of(split.begin(), split.end(), [&](const Json& call) {
    return call["content"] == rendered["prompt"] && call["add_special"] == true;
  }));

  server.set("/tokenize", 404, capture("err_404.body"));
  CHECK_THAT(refusal(server, plan), Contains("longest prompt " + std::to_string(bytes + 1) + " "));
  plan.sampling.max_tokens = 1000;
  CHECK_THAT(notes(audit(server, plan)),
             Contains("input_tokens gives HTTP 404") && Contains("a token a byte"));
}

TEST_CASE("thinking is refused where it isn't as the plan says") {
  CannedServer server;
  auto plan = card_plan();
  const auto always = [&](const std::string& prompt) {
    server.set("/apply-template", 200, Json({{"prompt", prompt}}).dump());
  };
  SECTION("required, but the template doesn't think") {
    always("<start_of_turn>user\nx<end_of_turn>\n<start_of_turn>model\n");
    CHECK_THAT(refusal(server), Contains("(gemma-4) doesn't think") && Contains("thinking=absent"));
    CHECK(server.calls("probe").empty());
    plan.force_template = true;
    CHECK(audit(server, plan).thinking == "absent");
  }
  SECTION("off, but the template opens a thought") {
    always("<|user|>x<|assistant|><think>\n");
    plan.sampling.thinking = Thinking::off;
    CHECK_THAT(refusal(server, plan), Contains("although it is asked not to"));
  }
  SECTION("off, as asked") {
    plan.sampling.thinking = Thinking::off;
    CHECK(audit(server, plan).thinking == "off");
    CHECK(server.calls("probe").empty());
  }
  SECTION("absent, and the template knows nothing of it") {
    always("<start_of_turn>user\nx<end_of_turn>\n<start_of_turn>model\n");
    plan.sampling.thinking = Thinking::absent;
    const auto info = audit(server, plan);
    CHECK(info.thinking == "absent");
    CHECK(info.budget_probe.empty());
    CHECK_FALSE(server.calls("/apply-template").back().contains("chat_template_kwargs"));
  }
  SECTION("the endpoint is missing") {
    server.set("/apply-template", 404, capture("err_404.body"));
    CHECK_THAT(refusal(server), Contains("/apply-template gives HTTP 404: File Not Found"));
    plan.sampling.thinking = Thinking::absent;
    const auto info = audit(server, plan);
    CHECK(info.thinking == "unknown");
    CHECK_THAT(notes(info), Contains("whether the model thinks is not known"));
  }
}

TEST_CASE("an unknown template is noted, with its hash") {
  CannedServer server;
  server.change_props([](Json& props) { props["chat_template"] = "{{ mine }}"; });
  const auto info = audit(server);
  CHECK(info.chat_template_name == "unknown");
  CHECK_THAT(notes(info),
             Contains("template is not one known here (SHA-256 " + info.chat_template_sha256.substr(0, 12)));
}

TEST_CASE("another model than the plan's file is refused") {
  CannedServer server;
  auto plan = card_plan();
  plan.model_file = kTiny;
  CHECK_THAT(
      refusal(server, plan),
      Contains("another model is served") &&
          Contains("33604304 parameters where the file has 3838790, 67210048 bytes of tensors where the "
                   "file has 2644248, 262144 tokens in its vocabulary where the file has 1408"));
  Json models = Json::parse(capture("v1_models.body"));
  Json& meta = models["data"][0]["meta"];
  meta["n_params"] = 3838790;
  meta["size"] = 2644248;
  meta["n_vocab"] = 1408;
  server.set("/v1/models", 200, models.dump());
  const auto info = audit(server, plan);
  CHECK_THAT(notes(info), Contains("the server calls its quantisation F16, the file Q4_K - Medium"));
  meta["ftype"] = "Q4_K - Medium";
  server.set("/v1/models", 200, models.dump());
  CHECK_THAT(notes(audit(server, plan)), !Contains("quantisation"));
  meta.erase("n_params");
  server.set("/v1/models", 200, models.dump());
  CHECK_THAT(refusal(server, plan),
             Contains("doesn't say how large its model is") && Contains("leave `model` out"));
  plan.model_file.reset();
  CHECK_THAT(notes(audit(server, plan)), Contains("doesn't say how large its model is"));
  plan.model_file = "/nonexistent.gguf";
  CHECK_THROWS_AS(audit(server, plan), InputError);
}

TEST_CASE("what a GGUF changes silently is noted") {
  GgufHeader header;
  header.metadata["general.sampling.temp"] = 0.5;
  header.metadata["general.sampling.sequence"] = std::string("kp\x1b[2J");
  header.metadata["tokenizer.ggml.suppress_tokens"] = GgufArray{.type = GgufType::i32, .count = 3};
  header.metadata["general.name"] = std::string("x");
  AuditFindings findings;
  compare_model({.path = "m", .quant = "Q6_K", .n_params = 1, .bytes = 1, .n_vocab = 0}, "f.gguf", header,
                findings);
  REQUIRE(findings.notes.size() == 3);
  CHECK_THAT(findings.notes[0], Contains("general.sampling.sequence = kp [2J"));
  CHECK_THAT(findings.notes[1], Contains("general.sampling.temp = 0.5"));
  CHECK_THAT(findings.notes[2], Contains("no endpoint shows") && Contains("3 values"));
}

TEST_CASE("fields the server won't take, changes or doesn't know come to light before the first question") {
  CannedServer server;
  SECTION("refused") {
    server.one_token = [](const Json&) { return Canned{400, capture("err_dry_last_n_neg.body")}; };
    CHECK_THAT(refusal(server),
               Contains("refuses the plan's sampling: HTTP 400: Field 'dry_penalty_last_n'"));
  }
  SECTION("changed") {
    server.one_token = [](const Json& body) {
      Json answer = Json::parse(CannedServer::echoed_settings(body));
      answer["__verbose"]["generation_settings"]["dry_penalty_last_n"] = 64;
      return Canned{200, answer.dump()};
    };
    CHECK_THAT(refusal(server), Contains("dry_penalty_last_n: asked 32768, used 64"));
  }
  SECTION("unknown") {
    server.one_token = [](const Json& body) {
      Json answer = Json::parse(CannedServer::echoed_settings(body));
      answer["__verbose"]["generation_settings"].erase("dry_multiplier");
      return Canned{200, answer.dump()};
    };
    const auto info = audit(server);
    CHECK_THAT(notes(info), Contains("doesn't report these fields and may not know them: dry_multiplier\n"));
  }
  SECTION("all known") {
    CHECK_THAT(notes(audit(server)), !Contains("may not know"));
  }
  SECTION("not told") {
    server.one_token = [](const Json&) { return Canned{200, "{}"}; };
    CHECK_THAT(notes(audit(server)), Contains("doesn't say what it samples with"));
  }
  SECTION("the server fails") {
    server.one_token = [](const Json&) {
      return Canned{500, R"({"error":{"code":500,"message":"out of memory"}})"};
    };
    CHECK_THAT(refusal(server), Contains("can't answer: HTTP 500: out of memory"));
  }
}

TEST_CASE("what the plan leaves to the server is noted with the value in effect") {
  const CannedServer server;
  auto plan = card_plan();
  plan.sampling.min_p.reset();
  plan.sampling.reasoning_format.reset();
  const auto info = audit(server, plan);
  CHECK_THAT(notes(info), Contains("left to the server's own defaults: ") && Contains("min_p = 0.05"));
  CHECK_THAT(notes(info), Contains("dry_sequence_breakers = [\"\\n\",\":\""));  // /props doesn't show it
  CHECK(info.server_defaults.at("reasoning_format") == "\"deepseek\"");         // /props shows "none"
}

TEST_CASE("a budget that isn't kept is refused, one that can't be seen is noted") {
  CannedServer server;
  server.probe = [](const Json&) {
    Json tokens = {100, 45518};
    for (int i = 0; i < 40; ++i) {
      tokens.push_back(900 + i);
    }
    return Canned{200, Json({{"__verbose", {{"tokens", tokens}}}}).dump()};
  };
  CHECK_THAT(refusal(server), Contains("a budget of 16 let 40 tokens through"));
  server.probe = [](const Json&) { return Canned{200, "{}"}; };
  const auto info = audit(server);
  CHECK_THAT(info.budget_probe, Contains("not exercised: "));
  CHECK_THAT(notes(info), Contains("budget is kept could not be seen"));
  auto plan = card_plan();
  plan.sampling.reasoning_budget.reset();
  const auto before = server.calls("probe").size();
  CHECK(audit(server, plan).budget_probe.empty());
  CHECK(server.calls("probe").size() == before);
}

TEST_CASE("all refusals come at once, before anything else is generated") {
  CannedServer server;
  server.set("/props", 200, capture("np4_props.body"));
  server.set("/apply-template", 200, R"({"prompt":"x"})");
  server.one_token = [](const Json&) { return Canned{400, capture("err_bad_type.body")}; };
  auto plan = card_plan();
  plan.model_file = kTiny;
  const auto text = refusal(server, plan);
  CHECK(count(text, "\n  - ") == 4);
  CHECK_THAT(text, Contains("another model") && Contains("doesn't think") && Contains("a slot holds 8192") &&
                       Contains("refuses the plan's sampling"));
  CHECK(server.calls("greedy").empty());
}

TEST_CASE("the fingerprint holds ids and rounded log probabilities, and is the same twice") {
  CannedServer server;
  HttpClient http(gpqa_test::at(server));
  const auto print = take_fingerprint(http, "m");
  CHECK(print.error.empty());
  CHECK(print.json == take_fingerprint(http, "m").json);
  const Json tokens = Json::parse(print.json)["tokens"];
  CHECK(tokens[1]["id"] == 45518);
  CHECK(tokens[1]["top"] == Json::parse("[[45518,-0.0001],[6608,-9.9884],[506,-12.498]]"));
  const Json body = server.calls("greedy").at(0);
  CHECK(body["temperature"] == 0);
  CHECK(body["max_tokens"] == 32);
  CHECK(body["top_logprobs"] == 5);
  CHECK(body["cache_prompt"] == false);

  server.greedy = [](const Json&) { return Canned{200, R"({"choices":[{"message":{"content":"x"}}]})"}; };
  CHECK_THAT(notes(audit(server)), Contains("no fingerprint could be taken: the server sends no log prob"));
  server.greedy = [](const Json&) { return Canned{501, R"({"error":{"code":501,"message":"no"}})"}; };
  CHECK(Json::parse(audit(server).fingerprint) == Json({{"error", "HTTP 501: no"}}));
}

TEST_CASE("answers of any shape end in a description or a refusal") {
  const std::string deep(200000, '[');
  const std::vector<std::string> bodies = {
      "null", "[]", "{}", "1", "\"x\"", "[[[]]]", deep + std::string(deep.size(), ']'),
      R"({"prompt":5,"tokens":"x","input_tokens":9223372036854775807,"data":[5],"model_path":7})",
      // NOLINTNEXTLINE(bugprone-suspicious-missing-comma)
      R"({"prompt":"<think>","tokens":[{"id":1},null,-1],"input_tokens":-4,"data":[{"id":[],"meta":[1]}],)"
      R"("model_path":"m","total_slots":-9223372036854775808,"default_generation_settings":{"n_ctx":1e300,)"
      R"("params":{"top_k":[[[[{"a":[1]}]]]],"samplers":{"x":null}}},"chat_template":[]})",
      R"({"model_path":"m","total_slots":18446744073709551615,"default_generation_settings":)"
      R"({"n_ctx":9223372036854775807,"params":[]},"data":{"0":1}})",
      R"({"choices":[{"logprobs":{"content":[{"id":"x","top_logprobs":[3,{"id":1e9,"logprob":null}]}]}}],)"
      R"("__verbose":{"tokens":[1.5],"generation_settings":{"top_k":{"a":1},"seed":"s"}}})",
      R"({"choices":{},"__verbose":[],"error":[]})"};
  const auto path =
      GENERATE(as<std::string>(), "/health", "/props", "/v1/models", "/apply-template",
               "/v1/chat/completions/input_tokens", "/tokenize", "one_token", "probe", "greedy");
  for (const auto& body : bodies) {
    CannedServer server;
    const CannedServer::Answer strange = [&](const Json&) { return Canned{200, body}; };
    if (path == "/tokenize") {
      server.set("/v1/chat/completions/input_tokens", 404, capture("err_404.body"));
    }
    if (path.starts_with('/')) {
      (server.get.contains(path) ? server.get : server.post)[path] = strange;
    } else {
      (path == "probe" ? server.probe : path == "greedy" ? server.greedy : server.one_token) = strange;
    }
    bool ended = false;
    try {
      ended = audit(server).concurrency >= 1;
    } catch (const AuditRefused& refused) {
      ended = std::string(refused.what()).size() < 5000;
    }
    CHECK(ended);
  }
}

}  // namespace
}  // namespace gpqa
