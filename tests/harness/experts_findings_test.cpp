#include <filesystem>

#include <nlohmann/json.hpp>

#include "tests/catch.h"
#include "tests/harness/shell.h"

using namespace gpqa_test;
using Catch::Matchers::Contains;

namespace {

const std::string kTiny = GPQA_TEST_DATA "/experts/tiny_expert_neuron_v4.json";
const std::string kGemma = GPQA_TEST_DATA "/gemma4/";

// Each tag that is opened is closed, in order; a page of ours has no others than these alone.
void check_nesting(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const auto end = html.find('>', at);
    REQUIRE(end != std::string::npos);
    const auto tag = html.substr(at + 1, end - at - 1);
    const auto name = tag.substr(0, tag.find_first_of(" \n"));
    if (name == "!doctype" || name == "meta" || tag.back() == '/') continue;
    if (name[0] == '/') {
      REQUIRE_FALSE(open.empty());
      CHECK(open.back() == name.substr(1));
      open.pop_back();
    } else {
      open.push_back(name);
    }
  }
  CHECK(open.empty());
}

}  // namespace

TEST_CASE("experts findings of a map: layers first, then as its author added it up") {
  const Shell gpqa;
  const auto result = gpqa("experts findings " + kTiny + " --html f.html");
  INFO(result.err);
  REQUIRE(result.code == 0);
  const auto layers = result.out.find("## Layer by layer");
  const auto added = result.out.find("## As the author added it up");
  CHECK(layers != std::string::npos);
  CHECK(added > layers);
  CHECK_THAT(result.out, Contains("say nothing about a layer") && Contains("| math, creative |"));
  const auto json = nlohmann::json::parse(gpqa("experts findings " + kTiny + " --json").out);
  CHECK(json["map"]["layers"].size() == 6);
  CHECK(json["map"]["layers"][0]["curve"].size() == 16);
  CHECK(json["map"]["top"] == 4);
  const auto html = contents(gpqa.folder.path() / "f.html");
  check_nesting(html);
  CHECK_THAT(html, Contains("<svg") && Contains("prefers-color-scheme: dark"));
  // Nothing from elsewhere.
  for (const char* outside : {"http", "src=", "@import", "url(", "<script", "<link"})
    CHECK(html.find(outside) == std::string::npos);
  CHECK(gpqa("experts findings " + kTiny + " --html f.html").code == 2);
}

TEST_CASE("experts findings of a model: how alike its experts are") {
  const Shell gpqa;
  const auto gguf = gpqa("experts findings " + kGemma + "tiny-bf16.gguf --json --html m.html");
  INFO(gguf.err);
  REQUIRE(gguf.code == 0);
  const auto json = nlohmann::json::parse(gguf.out);
  REQUIRE(json["weights"].size() == 6);
  CHECK(json["weights"][0]["experts"] == 16);
  CHECK(json["weights"][0]["by_tensor"].contains("ffn_down_exps"));
  check_nesting(contents(gpqa.folder.path() / "m.html"));
  const auto hf = nlohmann::json::parse(gpqa("experts findings " + kGemma + "tiny-hf --json").out);
  CHECK(hf["weights"][3]["whole"]["max"].get<double>() ==
        Approx(json["weights"][3]["whole"]["max"].get<double>()).margin(1e-6));
  CHECK_THAT(gpqa("experts findings " + kGemma + "tiny-q4_k_m.gguf").out,
             Contains("## How alike the experts' weights are"));
}

TEST_CASE("what a map calls its categories can't act on a page or a terminal") {
  const Shell gpqa;
  const std::string nasty = R"(<script>alert(1)</script>\"&|\u001b[31m\u202e)";
  const std::string experts = R"({"0":[{"id":0,"wnorm":1,"tc":1},{"id":1,"wnorm":2,"tc":1}]})";
  gpqa.write("n.json", R"({"metadata":{"model":")" + nasty + R"("},"categories":{")" + nasty +
                           "\":" + experts + ",\"b\":" + experts + "}}");
  const auto result = gpqa("experts findings n.json --html n.html");
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(result.out.find('\x1b') == std::string::npos);
  CHECK(result.out.find("\xE2\x80\xAE") == std::string::npos);
  const auto html = contents(gpqa.folder.path() / "n.html");
  CHECK(html.find("<script") == std::string::npos);
  CHECK(html.find('\x1b') == std::string::npos);
  CHECK_THAT(html, Contains("&lt;script&gt;"));
  check_nesting(html);
  CHECK(nlohmann::json::parse(gpqa("experts findings n.json --json").out)["map"]["layers"].size() == 1);
}

TEST_CASE("experts findings names what is wrong") {
  const Shell gpqa;
  const auto error = [&](const std::string& arguments) {
    const auto result = gpqa("experts findings " + arguments);
    CHECK(result.code == 2);
    return result.err;
  };
  CHECK_THAT(error("absent.json"), Contains("No such file"));
  CHECK_THAT(error(gpqa.write("x.json", "[1]")), Contains("expected a contribution map"));
  CHECK_THAT(error(gpqa.write("x.gguf", "hello")), Contains("no GGUF file"));
  CHECK_THAT(error(kTiny + " --by norm"), Contains("expected one of"));
}
