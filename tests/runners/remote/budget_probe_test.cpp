#include "runners/remote/budget_probe.h"

#include "tests/catch.h"
#include "tests/runners/remote/canned_server.h"

namespace gpqa {
namespace {

using gpqa_test::Canned;
using gpqa_test::CannedServer;
using gpqa_test::Json;
using Verdict = BudgetProbe::Verdict;

const ThinkingView kGemma = {"on", ThoughtTags{"<|channel>thought", "<channel|>"}, std::nullopt};
const ThinkingView kOpened = {"on", ThoughtTags{"<think>", "</think>"}, "\n"};

BudgetProbe probe(CannedServer& server, const ThinkingView& view = kGemma) {
  SamplingConfig sampling;
  sampling.reasoning_budget = 8192;
  sampling.temperature = 1.0;
  sampling.max_tokens = 12288;
  HttpClient http(gpqa_test::at(server));
  return probe_budget(http, sampling, "m", view);
}

// `before` tokens, a thought of `count` tokens, its close tag if it has one, and an answer.
Canned thought(const std::vector<int>& open, int count, const std::vector<int>& close) {
  Json tokens = open;
  for (int i = 0; i < count; ++i) {
    tokens.push_back(2000 + i);
  }
  for (const int token : close) {
    tokens.push_back(token);
  }
  tokens.push_back(769);
  return {200, Json({{"__verbose", {{"tokens", tokens}}}}).dump()};
}

TEST_CASE("a thought that ends at 16 tokens shows that the budget is kept") {
  CannedServer server;
  const auto result = probe(server);
  CHECK(result.verdict == Verdict::obeyed);
  CHECK(result.text == "cut at 16");
  REQUIRE(server.calls("probe").size() == 1);
  const Json body = server.calls("probe")[0];
  CHECK(body["reasoning_budget_tokens"] == 16);
  CHECK(body["temperature"] == 0);
  CHECK(body["cache_prompt"] == false);
  CHECK(body["max_tokens"] < 100);
}

TEST_CASE("a model that doesn't think by itself is made to, and can't end its thought") {
  CannedServer server;
  server.probe = [](const Json& body) {
    return body.contains("grammar") ? thought({100, 45518}, 16, {101}) : thought({}, 20, {});
  };
  CHECK(probe(server).text == "cut at 16");
  REQUIRE(server.calls("probe").size() == 2);
  const Json body = server.calls("probe")[1];
  CHECK(body["grammar"] == "root ::= <[100]> <[45518]> [a-z ]+ <[101]> .*");
  CHECK(body["logit_bias"][0][0] == 101);
  CHECK(body["logit_bias"][0][1] < -100);
}

TEST_CASE("a thought of the model's own that ends early proves nothing") {
  CannedServer server;
  server.probe = [](const Json& body) {
    return thought({100, 45518}, body.contains("grammar") ? 16 : 9, {101});
  };
  CHECK(probe(server).verdict == Verdict::obeyed);
  CHECK(server.calls("probe").size() == 2);
}

TEST_CASE("a forced thought that ends anywhere but at 16 shows another budget") {
  CannedServer server;
  const auto [count, text] = GENERATE(std::pair(30, "let 30 tokens through"), std::pair(17, "let 17 tokens"),
                                      std::pair(8, "was cut at 8"));
  server.probe = [count = count](const Json& body) {
    return body.contains("grammar") ? thought({100, 45518}, count, {101}) : thought({}, 20, {});
  };
  const auto result = probe(server);
  CHECK(result.verdict == Verdict::wrong);
  CHECK_THAT(result.text, Catch::Contains(text));
}

TEST_CASE("a server that closes nothing ignores the budget") {
  CannedServer server;
  server.probe = [](const Json&) { return thought({100, 45518}, 46, {}); };
  CHECK(probe(server).verdict == Verdict::wrong);
}

TEST_CASE("where the template opens the thought, what follows its tag counts") {
  CannedServer server;
  server.probe = [](const Json& body) { return thought({}, body.contains("grammar") ? 15 : 4, {7, 9}); };
  CHECK(probe(server, kOpened).text == "cut at 16");
  CHECK(server.calls("probe").at(1)["grammar"] == "root ::= [a-z ]+ <[7]> <[9]> .*");
}

TEST_CASE("what can't be seen is said with its reason") {
  const auto text_of_probe = [](CannedServer& server, const ThinkingView& view = kGemma) {
    const auto result = probe(server, view);
    CHECK(result.verdict == Verdict::not_exercised);
    return result.text;
  };
  const auto no_grammar = [](int count) {
    return [count](const Json& body) {
      return body.contains("grammar") ? Canned{400, R"({"error":{"code":400,"message":"bad grammar"}})"}
                                      : thought({100, 45518}, count, {101});
    };
  };
  {
    CannedServer server;
    server.probe = no_grammar(5);
    CHECK_THAT(text_of_probe(server), Catch::Contains("thought 5 tokens") && Catch::Contains("bad grammar"));
    server.probe = no_grammar(18);  // the server may have waited for the end of a character
    CHECK_THAT(text_of_probe(server), Catch::Contains("thought 18 tokens"));
    server.probe = no_grammar(40);
    CHECK(probe(server).verdict == Verdict::wrong);
  }
  {
    CannedServer server;
    CHECK_THAT(text_of_probe(server, {"on", std::nullopt, std::nullopt}), Catch::Contains("no thought tags"));
    server.set("/tokenize", 404, gpqa_test::capture("err_404.body"));
    CHECK_THAT(text_of_probe(server), Catch::Contains("/tokenize"));
  }
  {
    CannedServer server;
    server.probe = [](const Json&) { return Canned{200, "{}"}; };
    CHECK_THAT(text_of_probe(server), Catch::Contains("shows no tokens"));
  }
}

}  // namespace
}  // namespace gpqa
