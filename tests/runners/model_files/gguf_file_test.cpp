#include "runners/model_files/gguf_file.h"

#include <cstring>
#include <limits>
#include <span>

#include "prompts/input_error.h"
#include "tests/catch.h"
#include "tests/runners/model_files/gguf_builder.h"

namespace gpqa {
namespace {

const std::string kTiny = GPQA_TEST_DATA "/gemma4/tiny-q4_k_m.gguf";

// `bytes` must outlive the file.
GgufFile file_of(const std::string& bytes) {
  return GgufFile("built.gguf",
                  [&](const std::filesystem::path&) { return std::as_bytes(std::span(bytes)); });
}

TEST_CASE("a real file's tensors are found by name, with shape and bytes") {
  const GgufFile file(kTiny);
  CHECK(file.tensors().size() == 134);
  const auto& experts = file.tensor("blk.0.ffn_gate_up_exps.weight");
  CHECK(experts.format.name == "Q4_K");
  CHECK(experts.shape == std::vector<std::uint64_t>{256, 64, 16});
  CHECK(experts.elements() == 262144);
  CHECK(experts.rows() == 1024);
  CHECK(experts.row_bytes() == 144);
  CHECK(experts.bytes.size() == experts.rows() * experts.row_bytes());
  CHECK(experts.row(5).data() == experts.bytes.data() + 720);
  CHECK(file.find("blk.0.ffn_gate_up_exps.weight") == &experts);
  CHECK(file.find("blk.99.ffn_gate_up_exps.weight") == nullptr);
  CHECK_THROWS_WITH(file.tensor("blk.99.attn_q.weight"),
                    Catch::Contains("tiny-q4_k_m.gguf: tensor blk.99.attn_q.weight is missing"));
}

TEST_CASE("a real file's metadata is read out by kind") {
  const GgufFile file(kTiny);
  CHECK(file.text("general.architecture") == "gemma4");
  CHECK(file.count("gemma4.expert_used_count") == 4);
  CHECK(file.number("gemma4.final_logit_softcapping") == 30.0);
  CHECK(file.number("gemma4.block_count") == 6.0);
  CHECK(file.flag("tokenizer.ggml.add_bos_token"));
  CHECK(file.integers("gemma4.attention.head_count_kv") == std::vector<std::int64_t>{2, 2, 2, 2, 2, 1});
  CHECK(file.integers("gemma4.block_count") == std::vector<std::int64_t>{6});
  CHECK(file.flags("gemma4.attention.sliding_window_pattern") ==
        std::vector<bool>{true, true, true, true, true, false});
  CHECK(file.integers("gemma4.attention.sliding_window_pattern") ==
        std::vector<std::int64_t>{1, 1, 1, 1, 1, 0});
  const auto tokens = file.strings("tokenizer.ggml.tokens");
  REQUIRE(tokens.size() == 1408);
  CHECK(tokens[2] == "<bos>");
  CHECK(file.floats("tokenizer.ggml.scores") == std::vector<float>(1408, -1000.0f));
  CHECK(file.has("gemma4.block_count"));
  CHECK_FALSE(file.has("gemma4.block_counts"));
}

TEST_CASE("a key that is missing or of another kind is named with what was expected") {
  const GgufFile file(kTiny);
  const auto contains = [](const char* text) { return Catch::Contains(text); };
  CHECK_THROWS_WITH(file.count("gemma4.absent"), contains("tiny-q4_k_m.gguf: key gemma4.absent is missing"));
  CHECK_THROWS_WITH(file.strings("absent"), contains("key absent is missing"));
  CHECK_THROWS_WITH(file.count("general.architecture"), contains("is of type string; expected an integer"));
  CHECK_THROWS_WITH(file.number("tokenizer.ggml.add_bos_token"),
                    contains("of type boolean; expected a number"));
  CHECK_THROWS_WITH(file.count("gemma4.final_logit_softcapping"),
                    contains("of type f32; expected an integer"));
  CHECK_THROWS_WITH(file.count("gemma4.attention.head_count_kv"),
                    contains("of type array of 6 i32; expected an integer"));
  CHECK_THROWS_WITH(file.text("gemma4.block_count"), contains("of type u32; expected string"));
  CHECK_THROWS_WITH(file.flag("gemma4.block_count"), contains("expected boolean"));
  CHECK_THROWS_WITH(file.strings("tokenizer.ggml.scores"), contains("array of 1408 f32; expected strings"));
  CHECK_THROWS_WITH(file.integers("tokenizer.ggml.scores"), contains("expected integers"));
  CHECK_THROWS_WITH(file.integers("tokenizer.ggml.tokens"), contains("expected integers"));
  CHECK_THROWS_WITH(file.floats("gemma4.attention.head_count_kv"), contains("expected floats"));
  CHECK_THROWS_WITH(file.flags("gemma4.attention.head_count_kv"), contains("expected booleans"));
}

TEST_CASE("numbers that fit nowhere are refused, not wrapped") {
  GgufBuilder b;
  b.head(0, 5);
  b.put_string("negative").put<std::uint32_t>(5).put<std::int32_t>(-1);
  b.put_string("huge").put<std::uint32_t>(10).put<std::uint64_t>(1ull << 63);
  b.put_string("nan").put<std::uint32_t>(6).put<float>(std::numeric_limits<float>::quiet_NaN());
  b.put_string("infinite").put<std::uint32_t>(12).put<double>(-std::numeric_limits<double>::infinity());
  b.put_string("doubles").put<std::uint32_t>(9).put<std::uint32_t>(12).put<std::uint64_t>(2);
  b.put<double>(0.5).put<double>(0.1);
  const GgufFile file = file_of(b.bytes);
  CHECK_THROWS_WITH(file.count("negative"), Catch::Contains("key negative is -1; expected 0 or more"));
  CHECK(file.integers("negative") == std::vector<std::int64_t>{-1});
  CHECK(file.count("huge") == 1ull << 63);
  CHECK_THROWS_WITH(file.integers("huge"), Catch::Contains("9223372036854775808, beyond 63 bits"));
  CHECK_THROWS_WITH(file.number("nan"), Catch::Contains("key nan is nan; expected a finite number"));
  CHECK_THROWS_WITH(file.number("infinite"), Catch::Contains("is -inf"));
  CHECK(file.floats("doubles") == std::vector<float>{0.5f, 0.1f});
}

TEST_CASE("a split model's tensors lie each in its own part") {
  const auto part = [](std::uint16_t index, const char* name, float value) {
    GgufBuilder b;
    b.head(1, 2).count_key("split.no", index).count_key("split.count", 2).tensor(name, {1}, 0, 0).data(0);
    return b.put(value).bytes;
  };
  const TemporaryFile first("-f-00001-of-00002.gguf");
  const TemporaryFile second("-f-00002-of-00002.gguf");
  first.write(part(0, "a", 1.5f));
  second.write(part(1, "b", 2.5f));
  GgufFile opened(first.path);
  const GgufFile file = std::move(opened);  // what find() gives stays right when the file moves
  const auto value = [&](const char* name) {
    float out = 0;
    std::memcpy(&out, file.tensor(name).bytes.data(), sizeof out);
    return out;
  };
  CHECK(value("a") == 1.5f);
  CHECK(value("b") == 2.5f);
  CHECK(file.count("split.count") == 2);
}

TEST_CASE("a model cut at any fiftieth, or with a tensor beyond all bounds, is refused as it is opened") {
  const std::string whole = read_bytes(kTiny);
  const auto refused = [](const std::string& bytes) {
    const std::vector<char> copy(bytes.begin(), bytes.end());  // ASan watches its ends
    try {
      const GgufFile file("cut.gguf",
                          [&](const std::filesystem::path&) { return std::as_bytes(std::span(copy)); });
      return std::string();
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
  };
  for (std::size_t part = 0; part < 50; ++part) {
    CHECK_THAT(refused(whole.substr(0, whole.size() * part / 50)), Catch::Contains("cut.gguf:byte "));
  }
  CHECK(refused(whole).empty());
  const auto with_shape = [](const std::vector<std::uint64_t>& shape, std::uint64_t offset = 0) {
    return GgufBuilder().head(1, 0).tensor("t", shape, 0, offset).data(64).bytes;
  };
  CHECK(refused(with_shape({16})).empty());
  CHECK_THAT(refused(with_shape({17})), Catch::Contains("68 bytes at 0 of its data"));
  CHECK_THAT(refused(with_shape({16}, 32)), Catch::Contains("64 bytes at 32 of its data"));
  CHECK_THAT(refused(with_shape({16}, std::uint64_t{1} << 63)), Catch::Contains("cut short or damaged"));
  CHECK_THAT(refused(with_shape({std::uint64_t{1} << 63})),
             Catch::Contains("dimension 0 is 9223372036854775808"));
  CHECK_THAT(refused(with_shape({std::uint64_t{1} << 62})),
             Catch::Contains("tensor t: 4611686018427387904 elements"));
  CHECK_THAT(refused(with_shape({16, 0})), Catch::Contains("dimension 1 is 0"));
  CHECK_THAT(refused(with_shape({})), Catch::Contains("0 dimensions"));
  const TemporaryFile empty("-empty.gguf");
  empty.write("");
  CHECK_THROWS_WITH(GgufFile(empty.path), Catch::Contains("the file is empty"));
}

TEST_CASE("entries keep the file's order, and each value's bytes") {
  GgufBuilder b;
  b.head(0, 3).count_key("z", 7).count_key("a", 8);
  b.put_string("list")
      .put<std::uint32_t>(9)
      .put<std::uint32_t>(8)
      .put<std::uint64_t>(2)
      .put_string("x")
      .put_string("");
  const GgufFile file = file_of(b.bytes);
  const auto& entries = file.header().entries;
  REQUIRE(entries.size() == 3);
  CHECK(entries[0].key == "z");
  CHECK(entries[1].key == "a");
  CHECK(entries[2].key == "list");
  CHECK(entries[1].type == GgufType::u16);
  CHECK(file.raw(entries[1]).size() == 2);
  CHECK(file.raw(entries[2]).size() == 4 + 8 + 8 + 1 + 8);
  CHECK(file.strings("list") == std::vector<std::string_view>{"x", ""});
}

}  // namespace
}  // namespace gpqa
