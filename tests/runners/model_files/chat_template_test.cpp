#include "runners/model_files/chat_template.h"

#include <fstream>

#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "tests/catch.h"
#include "tests/runners/model_files/gguf_builder.h"
#include "tests/runners/model_files/tiny_tokenizer.h"

namespace gpqa {
namespace {

using Catch::Matchers::Contains;

nlohmann::json goldens(const char* name) {
  std::ifstream in(GPQA_TEST_DATA "/gemma4/" + std::string(name));
  return nlohmann::json::parse(in);
}

std::string rendered(const nlohmann::json& golden, ChatFormat format = ChatFormat::gemma4) {
  ChatOptions options{.thinking = golden["enable_thinking"],
                      .generation_prompt = golden["add_generation_prompt"]};
  if (golden["tools"].is_array()) options.tools = golden["tools"];
  return render_chat(format, read_chat_messages(golden["messages"]), options);
}

TEST_CASE("48 chats are rendered as llama-server and transformers render them") {
  const auto all = goldens("template_goldens.json");
  REQUIRE(all["cases"].size() == 48);
  for (const auto& golden : all["cases"]) {
    INFO(golden.dump());
    const auto text = rendered(golden);
    CHECK(text == golden["llama_server"].get<std::string>());
    CHECK("<bos>" + text == golden["transformers"].get<std::string>());
  }
}

TEST_CASE("random chats, tools, calls and answers are rendered as llama-server renders them") {
  const auto all = goldens("template_random_goldens.json");
  REQUIRE(all["cases"].size() >= 300);
  for (const auto& golden : all["cases"]) {
    INFO(golden.dump());
    CHECK(rendered(golden) == golden["llama_server"].get<std::string>());
  }
}

TEST_CASE("random chats are rendered as the first release's template has it") {
  const auto all = goldens("first_release_goldens.json");
  REQUIRE(all["cases"].size() >= 100);
  for (const auto& golden : all["cases"]) {
    INFO(golden.dump());
    CHECK(rendered(golden, ChatFormat::gemma4_first) == golden["llama_server"].get<std::string>());
  }
}

TEST_CASE("thinking is on unless it is turned off, as llama-server has it") {
  CHECK(render_chat(ChatFormat::gemma4,
                    std::vector<ChatMessage>{{.role = "user", .content = "Hello, who are you?"}}, {}) ==
        goldens("template_goldens.json")["default_no_kwargs"]["llama_server"].get<std::string>());
}

TEST_CASE("a model's own template decides how its chats are rendered") {
  const GgufFile tiny(kTinyGguf);
  const auto in_gguf = chat_template_of(tiny);
  const auto in_folder = hf_chat_template_of(kTinyFolder);
  REQUIRE(in_gguf);
  CHECK(in_gguf == in_folder);
  CHECK(chat_template_name(sha256_hex(*in_gguf)) == "gemma-4");
  CHECK(chat_format(in_gguf, "tiny", false) == ChatFormat::gemma4);
  CHECK(chat_format(in_gguf->substr(0, in_gguf->size() - 1), "tiny", false) == ChatFormat::gemma4);
  const auto first = read_bytes(GPQA_TEST_DATA "/gemma4/first_release.jinja");
  CHECK(chat_format(first, "tiny", false) == ChatFormat::gemma4_first);
  CHECK(chat_format(first.substr(0, first.size() - 1), "tiny", false) == ChatFormat::gemma4_first);
}

TEST_CASE("an unknown template, or none, is an error unless it is forced") {
  CHECK_THROWS_WITH(chat_format("{{ messages }}", "x.gguf", false),
                    Contains("x.gguf") && Contains("SHA-256 " + sha256_hex("{{ messages }}")) &&
                        Contains("--force-template"));
  CHECK_THROWS_WITH(chat_format(std::nullopt, "x.gguf", false),
                    Contains("x.gguf: it has no chat template") && Contains("--force-template"));
  CHECK(chat_format("{{ messages }}", "x.gguf", true) == ChatFormat::gemma4);
  CHECK(chat_format(std::nullopt, "x.gguf", true) == ChatFormat::gemma4);
  CHECK_FALSE(hf_chat_template_of(GPQA_TEST_DATA "/gemma4"));
}

TEST_CASE("what a user spells is part of the prompt, special tokens too") {
  const auto prompt = render_chat(
      ChatFormat::gemma4, std::vector<ChatMessage>{{.role = "user", .content = "a<turn|>\n<|channel>"}}, {});
  CHECK_THAT(prompt, Contains("user\na<turn|>\n<|channel><turn|>\n"));
  const auto ids = tiny_tokenizer().encode(prompt);
  CHECK(std::count(ids.begin(), ids.end(), 106) == 3);
  CHECK(std::count(ids.begin(), ids.end(), 100) == 1);
}

TEST_CASE("tools are refused for the first release's template") {
  const std::vector<ChatMessage> answer = {{.role = "tool", .content = "x"}};
  CHECK_THROWS_WITH(render_chat(ChatFormat::gemma4_first, answer, {}), Contains("first release"));
  CHECK_THROWS_AS(render_chat(ChatFormat::gemma4_first, {}, {.tools = nlohmann::json::array({1})}),
                  InputError);
}

TEST_CASE("messages that are none are refused by their place") {
  using Json = nlohmann::json;
  CHECK_THROWS_WITH(read_chat_messages(Json(1)), Contains("expected an array"));
  CHECK_THROWS_WITH(read_chat_messages(Json::parse(R"([{"role": "user"}, {}])")), Contains("messages[1]"));
  CHECK_THROWS_WITH(read_chat_messages(Json::parse(R"([{"role": "user", "content": [1]}])")),
                    Contains("messages[0].content: expected a text"));
  CHECK_THROWS_WITH(read_chat_messages(Json::parse(R"([{"role": "assistant", "tool_calls": [1]}])")),
                    Contains("messages[0].tool_calls"));
  CHECK(read_chat_messages(Json::array()).empty());
  CHECK(render_chat(ChatFormat::gemma4, {}, {.thinking = false, .generation_prompt = false}).empty());
}

TEST_CASE("arguments nested without end are refused") {
  nlohmann::json deep = 1;
  for (int i = 0; i < 100; ++i) deep = nlohmann::json{{"a", deep}};
  const std::vector<ChatMessage> call = {{.role = "assistant", .tool_calls = {{"1", "f", deep}}}};
  CHECK_THROWS_WITH(render_chat(ChatFormat::gemma4, call, {}), Contains("nested"));
  CHECK_THROWS_WITH(render_chat(ChatFormat::gemma4, {}, {.tools = nlohmann::json::array({deep})}),
                    Contains("nested"));
}

}  // namespace
}  // namespace gpqa
