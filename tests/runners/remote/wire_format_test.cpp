#include "runners/remote/wire_format.h"

#include <set>

#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/json_lines.h"

namespace gpqa {
namespace {

using Json = nlohmann::ordered_json;

TEST_CASE("a request holds every field that has a value, and no other") {
  SamplingConfig sampling;
  sampling.min_p = 0.05;
  sampling.dry_sequence_breakers = {"\n", ":"};
  sampling.reasoning_budget = 8192;
  sampling.max_tokens = 12288;
  const auto body = Json::parse(chat_request({.id = {}, .prompt = "q\"\u00e9", .seed = 7}, sampling, "m"));
  CHECK(body["messages"] == Json::parse(R"([{"role": "user", "content": "q\"é"}])"));
  CHECK(body["min_p"] == 0.05);
  CHECK(body["dry_sequence_breakers"] == Json({"\n", ":"}));
  CHECK(body["reasoning_budget_tokens"] == 8192);
  CHECK(body["max_tokens"] == 12288);
  CHECK(body["seed"] == 7);
  CHECK(body["chat_template_kwargs"]["enable_thinking"] == true);
  CHECK(body["stream"] == true);
  CHECK(body["verbose"] == true);
  CHECK_FALSE(body.contains("temperature"));
  CHECK_FALSE(body.contains("stop"));
}

TEST_CASE("thinking: asked for, asked off, or not spoken of") {
  SamplingConfig sampling;
  sampling.thinking = Thinking::off;
  CHECK(sampling_fields(sampling, 0)["chat_template_kwargs"]["enable_thinking"] == false);
  sampling.thinking = Thinking::absent;
  CHECK_FALSE(sampling_fields(sampling, 0).contains("chat_template_kwargs"));
}

TEST_CASE("with lm-eval's fields alone, the request is lm-eval's plus what shapes the answer's form") {
  SamplingConfig sampling;
  sampling.temperature = 0.0;
  sampling.max_tokens = 256;
  sampling.stop = {"</s>"};
  sampling.seed_rule = SeedRule::constant;
  sampling.constant_seed = 1234;
  sampling.thinking = Thinking::absent;
  const std::set<std::string> form = {"stream", "stream_options", "timings_per_token", "verbose"};
  for (const auto& golden : gpqa_test::read_json_lines(GPQA_TEST_DATA "/lm-eval/requests_default.jsonl")) {
    const nlohmann::json& theirs = golden["body"];
    auto ours = nlohmann::json::parse(
        chat_request({.id = {}, .prompt = theirs["messages"][0]["content"], .seed = 99}, sampling, "fake"));
    for (const auto& name : form) {
      CHECK(ours.erase(name) == 1);
    }
    CHECK(ours == theirs);
  }
}

TEST_CASE("errors are told apart by whose doing they are") {
  const auto of = [](std::int64_t code, const char* message) {
    return classify({.code = code, .message = message, .type = ""});
  };
  CHECK(of(500, "The model produced output that does not match the expected peg-gemma4 format") ==
        ErrorClass::lost_parse);
  CHECK(of(500, "Failed to parse input at pos 12: <|channel>") == ErrorClass::lost_parse);
  CHECK(of(500, "Context size has been exceeded.") == ErrorClass::context_pool);
  CHECK(of(500, "Compute error.") == ErrorClass::transient);
  for (const int code : {408, 429, 500, 502, 503, 504}) {
    CHECK(of(code, "x") == ErrorClass::transient);
  }
  for (const int code : {400, 401, 403, 404, 405, 413, 422, 501}) {
    CHECK(of(code, "x") == ErrorClass::ours);
  }
}

TEST_CASE("an error is read from any body") {
  CHECK(error_of_body(400, R"({"error":{"code":400,"message":"Field 'x': no","type":"t"}})").message ==
        "Field 'x': no");
  CHECK(error_of_body(502, "<html>Bad Gateway</html>").message == "<html>Bad Gateway</html>");
  CHECK(error_of_body(500, R"({"error":"plain"})").message == "plain");
  CHECK(error_of_body(500, "").message.empty());
  CHECK(error_of_body(500, std::string(10000, 'x')).message.size() == 500);
  CHECK(error_of_body(500, R"({"error":null})").message == R"({"error":null})");
  CHECK(error_of_body(500, "{\"error\":" + std::string(60000, '[') + std::string(60000, ']') + "}").message ==
        "an error without a message");
  CHECK(error_of_body(200, "").code == 200);  // the status counts, not what the body says of it
}

TEST_CASE("a server's text is shown as valid UTF-8 without control characters") {
  CHECK(readable("plain \u00e9", 100) == "plain \u00e9");
  CHECK(readable("\x1b[31mred\r\n\u0085", 100) == " [31mred   ");
  CHECK(readable("a\xff\xc3", 100) == "a\uFFFD\uFFFD");
  CHECK(readable("\u00e9\u00e9\u00e9", 5) == "\u00e9\u00e9");  // cut at a character
  CHECK(error_of_body(500, std::string(499, 'x') + "\u00e9").message == std::string(499, 'x'));
}

TEST_CASE(
    "read-back: what rounds to the same float agrees, what the server keeps to itself is not compared") {
  const auto asked =
      Json::parse(R"({"top_p": 0.95, "top_k": 64, "min_p": 0.05, "samplers": ["dry"], "cache_prompt": false,
                                     "reasoning_budget_tokens": 16, "seed": 5})");
  CHECK(sampling_mismatch(
            asked, Json::parse(R"({"top_p": 0.949999988079071, "top_k": 64, "min_p": 0.05000000074505806,
                                                 "samplers": ["dry"], "seed": 5})"))
            .empty());
  // Neighbouring seeds round to the same float.
  CHECK(sampling_mismatch(Json::parse(R"({"seed": 4294967290})"), Json::parse(R"({"seed": 4294967291})")) ==
        "seed: asked 4294967290, used 4294967291");
  CHECK(sampling_mismatch(asked, Json::parse(R"({"min_p": 0.0, "samplers": ["top_k"]})")) ==
        R"(min_p: asked 0.05, used 0.0; samplers: asked ["dry"], used ["top_k"])");
}

}  // namespace
}  // namespace gpqa
