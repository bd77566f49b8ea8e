// A model file as a partner in a chat.
#include "runners/embedded/chat_model.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using Catch::Matchers::Contains;

namespace {

namespace fs = std::filesystem;
const std::string kData = GPQA_TEST_DATA "/gemma4/";

}  // namespace

TEST_CASE("a prompt is what llama-server makes of one turn, with thoughts and without") {
  const ModelSource source(kData + "tiny-q4_k_m.gguf");
  const ChatModel chat(source, false);
  const auto text = [&](bool thinking) { return chat.tokenizer().decode(chat.prompt(" Hi? ", thinking)); };
  CHECK(text(true) == "<bos><|turn>system\n<|think|>\n<turn|>\n<|turn>user\nHi?<turn|>\n<|turn>model\n");
  CHECK(text(false) == "<bos><|turn>user\nHi?<turn|>\n<|turn>model\n<|channel>thought\n<channel|>");
  CHECK(chat.prompt("Hi?", true).front() == 2);
  CHECK(chat.template_name() == "gemma-4");
}

TEST_CASE("the tags of a thought, and what is forced when its budget is spent") {
  const ModelSource source(kData + "tiny-q4_k_m.gguf");
  const ChatModel chat(source, false);
  CHECK(chat.thought_opens() == 100);
  CHECK(chat.thought_closes() == 101);
  const auto tags = chat.reasoning_tags("");
  CHECK(tags.start.front() == 100);
  CHECK(tags.ends == std::vector<std::vector<int>>{{101}});
  CHECK(tags.forced == std::vector<int>{101});
  const auto message = chat.reasoning_tags(" the end");
  CHECK(chat.tokenizer().decode(message.forced) == " the end<channel|>");
}

TEST_CASE("a checkpoint samples as the GGUF that was made of it") {
  const ChatModel gguf(ModelSource(kData + "tiny-q4_k_m.gguf"), false);
  CHECK(gguf.baked().top_k == 64);
  const ChatModel checkpoint(ModelSource(kData + "tiny-hf"), false);
  CHECK(checkpoint.baked() == gguf.baked());
  CHECK(gguf.prompt("What?", true) == checkpoint.prompt("What?", true));
}

TEST_CASE("what a checkpoint's generation_config.json says of sampling is honoured, or its fault named") {
  const TemporaryFolder folder;
  fs::copy(kData + "tiny-hf", folder.path() / "hf", fs::copy_options::recursive);
  const auto config = folder.path() / "hf/generation_config.json";
  fs::permissions(folder.path() / "hf", fs::perms::owner_all);
  const auto baked = [&](const std::string& text) {
    fs::remove(config);
    std::ofstream(config) << text;
    return ChatModel(ModelSource(folder.path() / "hf"), false).baked();
  };
  const auto some = baked(R"({"temperature": 0.5, "top_k": 7, "min_p": null, "suppress_tokens": [5, 9]})");
  CHECK(some.temp == 0.5F);
  CHECK(some.top_k == 7);
  CHECK(!some.min_p);
  CHECK(some.suppress_tokens == std::vector<int>{5, 9});
  CHECK(baked("{}") == BakedSampling());
  CHECK_THROWS_WITH(baked(R"({"top_p": "much"})"),
                    Contains("generation_config.json") && Contains("top_p") && Contains("a number"));
  CHECK_THROWS_WITH(baked(R"({"top_k": 1e30})"), Contains("out of range"));
}
