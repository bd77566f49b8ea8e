// A model file as a partner in a chat.
#include "runners/embedded/chat_model.h"

#include <string>

#include "prompts/input_error.h"
#include "tests/catch.h"

using namespace gpqa;
using Catch::Matchers::Contains;

namespace {

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

TEST_CASE("a GGUF's own sampling and a checkpoint without any") {
  const ChatModel gguf(ModelSource(kData + "tiny-q4_k_m.gguf"), false);
  CHECK(gguf.baked().top_k == 64);
  const ChatModel checkpoint(ModelSource(kData + "tiny-hf"), false);
  CHECK(!checkpoint.baked().top_k);
  CHECK(gguf.prompt("What?", true) == checkpoint.prompt("What?", true));
}
