#include "runners/model_files/gguf_reader.h"

#include <array>
#include <random>
#include <span>

#include "prompts/input_error.h"
#include "runners/model_files/block_formats.h"
#include "runners/model_files/file_types.h"
#include "tests/catch.h"
#include "tests/runners/model_files/gguf_builder.h"

namespace gpqa {
namespace {

const std::string kTiny = GPQA_TEST_DATA "/gemma4/tiny-q4_k_m.gguf";

std::string error_of(const std::string& bytes) {
  const TemporaryFile file("-bad.gguf");
  file.write(bytes);
  try {
    read_gguf_header(file.path);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("a real header: metadata, tensors, and the totals that llama-server reports") {
  const auto header = read_gguf_header(kTiny);
  CHECK(header.version == 3);
  CHECK(header.text("general.architecture") == "gemma4");
  CHECK(header.count("gemma4.expert_count") == 16);
  CHECK(header.tensors.size() == 134);
  // GET /v1/models of the real server on this file: meta.n_params, meta.size
  CHECK(header.n_params() == 3838790);
  CHECK(header.tensor_bytes() == 2644248);
  const auto& tokens = std::get<GgufArray>(header.metadata.at("tokenizer.ggml.tokens"));
  CHECK(tokens.count == 1408);
  CHECK(tokens.type == GgufType::string);
  std::uint64_t end = 0;
  for (const auto& tensor : header.tensors) {
    end = std::max(end, tensor.offset + tensor.bytes);
  }
  CHECK(end <= std::filesystem::file_size(kTiny));
}

TEST_CASE("split files are followed from the first") {
  const TemporaryFile first("-m-00001-of-00002.gguf");
  const TemporaryFile second("-m-00002-of-00002.gguf");
  first.write(GgufBuilder()
                  .head(1, 2)
                  .count_key("split.no", 0)
                  .count_key("split.count", 2)
                  .tensor("a", {4}, 0, 0)
                  .data(16)
                  .bytes);
  second.write(GgufBuilder()
                   .head(1, 2)
                   .count_key("split.no", 1)
                   .count_key("split.count", 2)
                   .tensor("b", {32, 2}, 8, 0)
                   .data(68)
                   .bytes);
  const auto header = read_gguf_header(first.path);
  REQUIRE(header.tensors.size() == 2);
  CHECK(header.files.size() == 2);
  CHECK(header.tensors[1].file == 1);
  CHECK(header.n_params() == 68);
  CHECK(header.tensor_bytes() == 16 + 68);
  CHECK_THROWS_WITH(read_gguf_header(second.path), Catch::Contains("give the first one"));
  second.write(GgufBuilder()
                   .head(1, 2)
                   .count_key("split.no", 1)
                   .count_key("split.count", 3)
                   .tensor("b", {4}, 0, 0)
                   .data(16)
                   .bytes);
  CHECK_THROWS_WITH(read_gguf_header(first.path), Catch::Contains("expected part 2 of 2"));
  second.write(GgufBuilder()
                   .head(1, 2)
                   .count_key("split.no", 1)
                   .count_key("split.count", 2)
                   .tensor("a", {4}, 0, 0)
                   .data(16)
                   .bytes);
  CHECK_THROWS_WITH(read_gguf_header(first.path), Catch::Contains("tensor a is in an earlier part too"));
  std::filesystem::remove(second.path);
  CHECK_THROWS_WITH(read_gguf_header(first.path), Catch::Contains("-m-00002-of-00002.gguf"));
}

TEST_CASE("damage is named with its place") {
  const auto contains = [](const char* text) { return Catch::Contains(text); };
  CHECK_THAT(error_of("GGML...."), contains("doesn't begin with"));
  CHECK_THAT(error_of("GG"), contains("doesn't begin with"));
  CHECK_THAT(error_of(GgufBuilder().head(0, 0, 1).bytes), contains("version 1"));
  CHECK_THAT(error_of(GgufBuilder().head(1ull << 60, 0).bytes), contains("tensors and 0 keys"));
  CHECK_THAT(error_of(GgufBuilder().head(0, 1ull << 60).bytes), contains("keys in a file"));
  CHECK_THAT(error_of(GgufBuilder().head(0, 1).put<std::uint64_t>(1ull << 62).data(64).bytes),
             contains("a key of"));
  CHECK_THAT(error_of(GgufBuilder().head(0, 1).put_string("k").put<std::uint32_t>(13).data(64).bytes),
             contains("value type 13"));
  CHECK_THAT(error_of(GgufBuilder().head(0, 2).count_key("k", 1).count_key("k", 1).bytes),
             contains("key k is there twice"));
  CHECK_THAT(error_of(GgufBuilder()
                          .head(0, 1)
                          .put_string("k")
                          .put<std::uint32_t>(9)
                          .put<std::uint32_t>(9)
                          .put<std::uint64_t>(1)
                          .data(64)
                          .bytes),
             contains("array of arrays"));
  CHECK_THAT(error_of(GgufBuilder()
                          .head(0, 1)
                          .put_string("k")
                          .put<std::uint32_t>(9)
                          .put<std::uint32_t>(6)
                          .put<std::uint64_t>(1ull << 62)
                          .data(64)
                          .bytes),
             contains("array"));
  CHECK_THAT(error_of(GgufBuilder().head(1, 0).tensor("t", {4}, 99, 0).data(64).bytes),
             contains("tensor t: type 99"));
  CHECK_THAT(error_of(GgufBuilder().head(1, 0).tensor("t", {33}, 8, 0).data(64).bytes),
             contains("needs a multiple of 32"));
  CHECK_THAT(error_of(GgufBuilder().head(1, 0).tensor("t", {1ull << 40, 1ull << 40}, 0, 0).data(64).bytes),
             contains("dimension 1"));
  CHECK_THAT(error_of(GgufBuilder().head(1, 0).tensor("t", {0}, 0, 0).data(64).bytes),
             contains("dimension 0 is 0"));
  CHECK_THAT(error_of(GgufBuilder().head(1, 0).tensor("t", {8}, 0, 7).data(64).bytes),
             contains("no multiple of 32"));
  CHECK_THAT(error_of(GgufBuilder().head(1, 0).tensor("t", {800}, 0, 0).data(64).bytes),
             contains("cut short"));
  CHECK_THAT(error_of(GgufBuilder().head(2, 0).tensor("t", {4}, 0, 0).tensor("t", {4}, 0, 0).data(64).bytes),
             contains("there twice"));
  CHECK_THAT(
      error_of(GgufBuilder().head(2, 0).tensor("t", {16}, 0, 0).tensor("u", {4}, 0, 32).data(64).bytes),
      contains("tensors t and u overlap"));
  CHECK_THAT(
      error_of(GgufBuilder().head(0, 1).put_string("k").put<std::uint32_t>(7).put<std::uint8_t>(2).bytes),
      contains("a boolean of 2"));
  CHECK_THAT(error_of(GgufBuilder().head(0, 1).count_key("general.alignment", 48).bytes),
             contains("expected a power of two"));
  CHECK_THAT(error_of(GgufBuilder()
                          .head(0, 1)
                          .put_string("general.alignment")
                          .put<std::uint32_t>(8)
                          .put_string("32")
                          .bytes),
             contains("expected a power of two"));
  CHECK_THROWS_WITH(read_gguf_header("/nonexistent.gguf"), Catch::Contains("No such file"));
  CHECK_THROWS_WITH(read_gguf_header("/tmp"), Catch::Contains("not a file"));
}

// Reads bytes that may be damaged: true if they were refused.
bool is_refused(std::string_view bytes) {
  try {
    // Nothing outside the file is touched: ASan watches the copy's ends.
    const std::vector<char> copy(bytes.begin(), bytes.end());
    const auto header = parse_gguf_header(std::as_bytes(std::span(copy)), "damaged.gguf");
    for (const auto& tensor : header.tensors) {
      CHECK(tensor.offset + tensor.bytes <= bytes.size());
    }
    return false;
  } catch (const FormatError& error) {
    CHECK_THAT(error.what(), Catch::Contains("damaged.gguf:byte "));
    return true;
  }
}

TEST_CASE("a file cut anywhere is refused with the place") {
  const std::string whole = read_bytes(kTiny);
  constexpr std::size_t kHeader = 115936;
  for (std::size_t size = 0; size < kHeader; size += 97) {
    REQUIRE(is_refused(whole.substr(0, size)));
  }
  for (std::size_t size = kHeader; size < whole.size(); size += 9973) {
    REQUIRE(is_refused(whole.substr(0, size)));
  }
  CHECK(is_refused(whole.substr(0, whole.size() - 33)));  // the end may be padding
  CHECK_FALSE(is_refused(whole));
}

TEST_CASE("bytes flipped at random are read or refused, never worse") {
  const std::string whole = read_bytes(kTiny);
  std::mt19937 random(1);
  std::size_t refused = 0;
  constexpr std::size_t kRounds = 1000;
  // The keys (at the front) and the tensor directory (at the end of the header) hold the counts and offsets.
  const std::array<std::pair<std::size_t, std::size_t>, 3> regions = {
      std::pair<std::size_t, std::size_t>{0, 3000}, {100000, 115936}, {0, 115936}};
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::string damaged = whole;
    const auto [begin, end] = regions[round % regions.size()];
    for (int flips = 0; flips < 4; ++flips) {
      damaged[begin + random() % (end - begin)] ^= static_cast<char>(1u << (random() % 8));
    }
    refused += is_refused(damaged) ? 1 : 0;
  }
  CHECK(refused > kRounds / 4);
  CHECK(refused < kRounds);
}

TEST_CASE("hostile counts allocate no more than the file's size") {
  // A string, an array and a directory that each claim what a small file can't hold.
  const auto claims = [](std::uint32_t type, std::uint64_t length) {
    return GgufBuilder().head(0, 1).put_string("k").put(type).put(length).data(64).bytes;
  };
  for (const std::uint64_t length : {1ull << 20, 1ull << 40, 1ull << 63, ~0ull}) {
    CHECK(is_refused(claims(8, length)));
    CHECK(is_refused(GgufBuilder().head(length, 0).data(64).bytes));
    CHECK(is_refused(GgufBuilder()
                         .head(0, 1)
                         .put_string("k")
                         .put<std::uint32_t>(9)
                         .put<std::uint32_t>(8)
                         .put(length)
                         .data(64)
                         .bytes));
  }
}

TEST_CASE("every metadata type is read as what it is") {
  GgufBuilder b;
  b.head(0, 12);
  const auto key = [&](const char* name, std::uint32_t type) -> GgufBuilder& {
    return b.put_string(name).put(type);
  };
  key("u8", 0).put<std::uint8_t>(200);
  key("i8", 1).put<std::int8_t>(-5);
  key("u16", 2).put<std::uint16_t>(60000);
  key("i16", 3).put<std::int16_t>(-600);
  key("u32", 4).put<std::uint32_t>(4000000000u);
  key("i32", 5).put<std::int32_t>(-70000);
  key("f32", 6).put<float>(0.5f);
  key("bool", 7).put<std::uint8_t>(1);
  key("text", 8).put_string("gemma");
  key("array", 9).put<std::uint32_t>(4).put<std::uint64_t>(3).put<std::uint32_t>(1).put<std::uint64_t>(2);
  key("i64", 11).put<std::int64_t>(-1);
  key("f64", 12).put<double>(-2.25);
  const auto header = parse_gguf_header(std::as_bytes(std::span(b.bytes)), "all.gguf");
  CHECK(header.count("u8") == 200);
  CHECK(std::get<std::int64_t>(header.metadata.at("i8")) == -5);
  CHECK_FALSE(header.count("i8").has_value());
  CHECK(header.count("u16") == 60000);
  CHECK(std::get<std::int64_t>(header.metadata.at("i16")) == -600);
  CHECK(header.count("u32") == 4000000000u);
  CHECK(std::get<std::int64_t>(header.metadata.at("i32")) == -70000);
  CHECK(std::get<double>(header.metadata.at("f32")) == 0.5);
  CHECK(std::get<bool>(header.metadata.at("bool")));
  CHECK(header.text("text") == "gemma");
  CHECK_FALSE(header.count("text").has_value());
  CHECK(std::get<std::int64_t>(header.metadata.at("i64")) == -1);
  CHECK(std::get<double>(header.metadata.at("f64")) == -2.25);
  const auto& array = std::get<GgufArray>(header.metadata.at("array"));
  CHECK(array.count == 3);
  CHECK(array.bytes == 12);
  CHECK(b.bytes.at(array.offset) == 1);
}

TEST_CASE("file types have the labels of llama-server") {
  CHECK(file_type_label(*read_gguf_header(kTiny).count("general.file_type")) == "Q4_K - Medium");
  CHECK(file_type_label(18) == "Q6_K");
  CHECK(file_type_label(4).empty());
}

TEST_CASE("block formats have their ids once") {
  for (const auto& format : kBlockFormats) {
    CHECK(block_format(format.id)->name == format.name);
  }
  CHECK_FALSE(block_format(4).has_value());
}

}  // namespace
}  // namespace gpqa
