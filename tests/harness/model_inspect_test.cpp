#include <filesystem>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "runners/model_files/gguf_file.h"
#include "runners/model_files/gguf_writer.h"
#include "tests/catch.h"
#include "tests/harness/shell.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::Shell;

namespace {

namespace fs = std::filesystem;

const std::string kGemma = GPQA_TEST_DATA "/gemma4/";
const std::string kQ4 = kGemma + "tiny-q4_k_m.gguf";
const std::string kTemplateHash = "85a08664d16d8f3be4416c92427b3ac10df1024ac566cc0b4bc3bab409393f98";

}  // namespace

TEST_CASE("model inspect says what a GGUF holds, and what is baked into it") {
  const Shell gpqa;
  const auto result = gpqa("model inspect " + kQ4);
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  for (const char* line :
       {"  sha256        4aa115791963b13a334f10c103f899c85714f35058ae5aafd2e93c70114f05f2\n",
        "  format        GGUF v3\n", "  architecture  gemma4\n", "  name          tiny-gemma4-moe-tiny\n",
        "  file type     Q4_K - Medium\n", "  layers        6\n", "  kv heads      2 or 1, by layer\n",
        "  experts       16, 4 used a token, feed-forward 32\n", "  parameters    3838790\n",
        "  bytes         2644248, 5.51 bits a weight\n",
        "  tokenizer     gemma4, 1408 tokens; bos 2, eos 1, end of turn 106\n",
        "  template      gemma-4, sha256 85a0", "  sampling      top_p = 0.95\n",
        "  Q4_K          34         2310144         1299456   49.1%\n"})
    CHECK_THAT(result.out, Contains(line));
  CHECK_THAT(result.out, !Contains("ffn_gate_up_exps"));
}

TEST_CASE("model inspect as JSON, every tensor among it") {
  const Shell gpqa;
  const auto result = gpqa("model inspect --format json --tensors " + kQ4);
  REQUIRE(result.code == 0);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json["architecture"] == "gemma4");
  CHECK(json["experts"] == 16);
  CHECK(json["experts_used"] == 4);
  CHECK(json["kv_heads"] == nlohmann::json{2, 2, 2, 2, 2, 1});
  CHECK(json["sampling"]["top_k"] == 64);
  CHECK(json["chat_template"]["name"] == "gemma-4");
  CHECK(json["chat_template"]["sha256"] == kTemplateHash);
  CHECK(json["tokenizer"]["vocabulary"] == 1408);
  CHECK(json["files"][0]["sha256"] == "4aa115791963b13a334f10c103f899c85714f35058ae5aafd2e93c70114f05f2");
  CHECK(json["tensors"].size() == 134);
  std::uint64_t bytes = 0;
  for (const auto& tensor : json["tensors"]) bytes += tensor["bytes"].get<std::uint64_t>();
  CHECK(bytes == json["bytes"]);
  const auto& types = json["types"];
  CHECK(types[0] ==
        nlohmann::json{{"type", "Q4_K"}, {"tensors", 34}, {"elements", 2310144}, {"bytes", 1299456}});
  CHECK_FALSE(
      nlohmann::json::parse(gpqa("model inspect --format json --no-hash " + kQ4).out)["files"][0].contains(
          "sha256"));
}

TEST_CASE("model inspect tells a checkpoint as the GGUF that was made from it") {
  const Shell gpqa;
  const auto result = gpqa("model inspect --format json " + kGemma + "tiny-hf");
  REQUIRE(result.code == 0);
  const auto json = nlohmann::json::parse(result.out);
  const auto gguf =
      nlohmann::json::parse(gpqa("model inspect --format json " + kGemma + "tiny-bf16.gguf").out);
  for (const char* key : {"layers", "hidden", "heads", "feed_forward", "context", "experts", "experts_used",
                          "expert_feed_forward", "chat_template"})
    CHECK(json[key] == gguf[key]);
  CHECK(json["architecture"] == "Gemma4ForConditionalGeneration");
  CHECK(json["file_type"] == "bfloat16");
  CHECK(json["files"].size() == 2);
  // The converter adds the 32 divisors of RoPE's frequencies.
  CHECK(json["parameters"].get<int>() + 32 == gguf["parameters"].get<int>());
  CHECK(json["tokenizer"]["eos"] == nlohmann::json{1, 106, 50});
  CHECK(json["tokenizer"]["end_of_turn"] == 106);
  CHECK(json["sampling"]["temperature"] == 1.0);
  // One of its files alone.
  const auto shard = gpqa("model inspect --tensors " + kGemma + "tiny-hf/model-00002-of-00002.safetensors");
  CHECK(shard.code == 0);
  CHECK_THAT(shard.out, Contains("  BF16          70         1895476         3790952  100.0%"));
  CHECK_THAT(shard.out, Contains("model.language_model.norm.weight"));
}

TEST_CASE("model inspect of a split GGUF counts all of its parts") {
  const Shell gpqa;
  const GgufFile whole(kQ4);
  const auto half = whole.tensors().size() / 2;
  for (std::uint16_t i = 0; i < 2; ++i) {
    GgufMetadata metadata(whole);
    metadata.set("split.no", i);
    metadata.set("split.count", std::uint16_t{2});
    write_gguf(gpqa.folder.path() / ("m-0000" + std::to_string(i + 1) + "-of-00002.gguf"), metadata,
               i == 0 ? whole.tensors().first(half) : whole.tensors().subspan(half));
  }
  const auto result = gpqa("model inspect m-00001-of-00002.gguf");
  CHECK(result.code == 0);
  CHECK_THAT(result.out, Contains("  format        GGUF v3, 2 files\n"));
  CHECK_THAT(result.out, Contains("  parameters    3838790\n"));
  CHECK_THAT(result.out, Contains("m-00002-of-00002.gguf\n  sha256        "));
  const auto second = gpqa("model inspect m-00002-of-00002.gguf");
  CHECK(second.code == 2);
  CHECK_THAT(second.err, Contains("give the first one"));
}

TEST_CASE("model inspect: what a file says of itself can't act on the terminal") {
  const Shell gpqa;
  GgufMetadata metadata;
  metadata.set("general.architecture", "g\x1b[2Jx");
  metadata.set("general.name", "two\nlines\u202e" + std::string(500, 'n'));
  metadata.set("general.sampling.samplers\x1b]0;t\x07", "a\rb");
  metadata.set("tokenizer.ggml.suppress_tokens", std::vector<std::int32_t>{5, 7});
  metadata.set("tokenizer.ggml.model", "\xFF\xFE");
  const std::vector<TensorView> tensors{
      {"t\x1b[31m\nfake", *block_format(24), {4}, std::as_bytes(std::span("abc"))}};
  write_gguf(gpqa.folder.path() / "hostile.gguf", metadata, tensors);
  for (const char* format : {"text", "json"}) {
    const auto result = gpqa("model inspect hostile.gguf --tensors --format " + std::string(format));
    CHECK(result.code == 0);
    CHECK(result.out.find('\x1b') == std::string::npos);
    CHECK(result.out.find('\r') == std::string::npos);
    CHECK(result.out.find("\nlines") == std::string::npos);
    CHECK(result.out.find("\nfake") == std::string::npos);
  }
  const auto text = gpqa("model inspect hostile.gguf").out;
  CHECK_THAT(text, Contains("  never sampled 5 7\n"));
  CHECK_THAT(text, Contains("two\\nlines\\u202e"));
  CHECK(text.find(std::string(300, 'n')) == std::string::npos);
}

TEST_CASE("model inspect names what is wrong with a file") {
  const Shell gpqa;
  const auto error = [&](const std::string& arguments) {
    const auto result = gpqa("model inspect " + arguments);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    return result.err;
  };
  CHECK_THAT(error("absent.gguf"), Contains("absent.gguf: No such file"));
  CHECK_THAT(error(gpqa.write("text.gguf", "hello")), Contains("no GGUF file"));
  CHECK_THAT(error(gpqa.write("x.safetensors", "hello")), Contains("no safetensors file"));
  CHECK_THAT(error("."), Contains("no checkpoint: expected model.safetensors.index.json"));
  const std::string whole = contents(kQ4);
  CHECK_THAT(error(gpqa.write("cut.gguf", whole.substr(0, whole.size() / 2))),
             Contains("cut short or damaged"));
  // A checkpoint whose settings are damaged.
  fs::create_directory(gpqa.folder.path() / "hf");
  fs::copy(kGemma + "tiny-hf", gpqa.folder.path() / "hf");
  const auto set = [&](const char* name, const std::string& text) {
    std::ofstream(gpqa.folder.path() / "hf" / name) << text;
  };
  set("config.json", "[1]");
  CHECK_THAT(error("hf"), Contains("config.json: expected a JSON object"));
  set("config.json", R"({"text_config":{"num_hidden_layers":-6}})");
  CHECK_THAT(error("hf"), Contains("config.json:text_config/num_hidden_layers: expected a whole number"));
  set("config.json", std::string(100000, '['));
  CHECK_THAT(error("hf"), Contains("config.json: expected a JSON object"));
  fs::remove(gpqa.folder.path() / "hf" / "config.json");
  CHECK(gpqa("model inspect hf --no-hash").code == 0);
}

TEST_CASE("model: help and a mistyped command") {
  const Shell gpqa;
  CHECK_THAT(gpqa("model inspect --help").out, Contains("Example: gpqa model inspect"));
  CHECK_THAT(gpqa("model --help").out, Contains("inspect"));
  const auto result = gpqa("model inspekt x");
  CHECK(result.code == 2);
  CHECK_THAT(result.err, Contains("inspect"));
}
