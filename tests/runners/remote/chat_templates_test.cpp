#include "runners/remote/chat_templates.h"

#include <nlohmann/json.hpp>

#include "prompts/sha256.h"
#include "runners/model_files/known_templates.h"
#include "tests/catch.h"
#include "tests/runners/remote/canned_server.h"

namespace gpqa {
namespace {

const std::string kGemmaOn = "<|turn>system\n<|think|>\n<turn|>\n<|turn>user\nx<turn|>\n<|turn>model\n";
const std::string kGemmaOff = "<|turn>user\nx<turn|>\n<|turn>model\n<|channel>thought\n<channel|>";
const std::string kPlain = "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n";

AuditFindings judged(Thinking wanted, const Renderings& renderings, std::string_view name = "unknown",
                     bool force = false) {
  AuditFindings findings;
  judge_thinking(wanted, view_thinking(renderings), name, force, findings);
  return findings;
}

TEST_CASE("known templates have a name") {
  const auto props = nlohmann::json::parse(gpqa_test::capture("props.body"));
  const std::string text = props.at("chat_template");
  CHECK(chat_template_name(sha256_hex(text)) == "gemma-4");
  CHECK(chat_template_name(sha256_hex(text + "\n")) == "gemma-4");
  CHECK(chat_template_name(sha256_hex(text + " ")) == "unknown");
}

TEST_CASE("Gemma 4 thinks when asked, and not when asked not to") {
  const auto on = view_thinking({.on = kGemmaOn, .off = kGemmaOff, .sent = kGemmaOn});
  CHECK(on.observed == "on");
  CHECK(on.tags->open == "<|channel>thought");
  CHECK_FALSE(on.opened);
  CHECK(view_thinking({.on = kGemmaOn, .off = kGemmaOff, .sent = kGemmaOff}).observed == "off");
}

TEST_CASE("a template that shows its tags only when thinking is off thinks all the same") {
  const auto view = view_thinking({.on = kPlain, .off = kPlain + "<think>\n\n</think>\n\n", .sent = kPlain});
  CHECK(view.observed == "on");
  CHECK(view.tags->close == "</think>");
  CHECK_FALSE(view.opened);
}

TEST_CASE("a template that opens the thought thinks whatever it is asked") {
  const std::string opened = kPlain + "<think>\n";
  const auto view = view_thinking({.on = opened, .off = opened, .sent = opened});
  CHECK(view.observed == "on");
  CHECK(view.opened == "\n");
  CHECK(judged(Thinking::required, {opened, opened, opened}).refusals.empty());
  CHECK_THAT(judged(Thinking::off, {opened, opened, opened}).refusals.at(0),
             Catch::Contains("although it is asked not to"));
}

TEST_CASE("a template that changes nothing and opens nothing doesn't think") {
  CHECK(view_thinking({kPlain, kPlain, kPlain}).observed == "absent");
  CHECK_THAT(judged(Thinking::required, {kPlain, kPlain, kPlain}).refusals.at(0),
             Catch::Contains("doesn't think") && Catch::Contains("thinking = \"absent\""));
  CHECK(judged(Thinking::absent, {kPlain, kPlain, kPlain}).notes.empty());
  CHECK(judged(Thinking::off, {kPlain, kPlain, kPlain}).refusals.empty());
}

TEST_CASE("required thinking of an unknown template needs known tags, or force_template") {
  const Renderings strange = {.on = kPlain + "[PONDER]", .off = kPlain, .sent = kPlain + "[PONDER]"};
  CHECK_THAT(judged(Thinking::required, strange).refusals.at(0), Catch::Contains("force_template"));
  CHECK(judged(Thinking::required, strange, "gemma-4").refusals.empty());
  const auto forced = judged(Thinking::required, strange, "unknown", true);
  CHECK(forced.refusals.empty());
  CHECK(forced.notes.size() == 1);
  CHECK(judged(Thinking::required, {kGemmaOn, kGemmaOff, kGemmaOn}).refusals.empty());
  CHECK(judged(Thinking::required, {kPlain, kPlain, kPlain}, "unknown", true).refusals.empty());
}

TEST_CASE("a plan for a model without thinking hears that the template thinks") {
  CHECK(judged(Thinking::absent, {kGemmaOn, kGemmaOff, kGemmaOn}).notes.size() == 1);
  CHECK(judged(Thinking::absent, {kGemmaOn, kGemmaOff, kGemmaOn}).refusals.empty());
}

}  // namespace
}  // namespace gpqa
