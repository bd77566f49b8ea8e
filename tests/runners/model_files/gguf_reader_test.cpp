#include "runners/model_files/gguf_reader.h"

#include <fstream>
#include <iterator>
#include <random>
#include <unistd.h>

#include "prompts/input_error.h"
#include "runners/model_files/block_formats.h"
#include "tests/catch.h"

namespace gpqa {
namespace {

const std::string kTiny = GPQA_TEST_DATA "/gemma4/tiny-q4_k_m.gguf";

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct TemporaryFile {
  std::filesystem::path path;
  explicit TemporaryFile(const std::string& name)
      : path(std::filesystem::temp_directory_path() / (std::to_string(getpid()) + name)) {}
  ~TemporaryFile() { std::filesystem::remove(path); }
  void write(std::string_view bytes) const { std::ofstream(path, std::ios::binary) << bytes; }
};

// A GGUF file put together by hand.
struct Builder {
  std::string bytes;
  template <class T>
  Builder& put(T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Builder& put_string(std::string_view text) {
    put<std::uint64_t>(text.size());
    bytes.append(text);
    return *this;
  }
  Builder& head(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
    bytes = "GGUF";
    return put(version).put(tensors).put(keys);
  }
  Builder& count_key(std::string_view key, std::uint16_t value) {
    return put_string(key).put<std::uint32_t>(2).put(value);
  }
  Builder& tensor(std::string_view name, std::vector<std::uint64_t> shape, std::uint32_t type,
                  std::uint64_t offset) {
    put_string(name).put(static_cast<std::uint32_t>(shape.size()));
    for (const auto length : shape) {
      put(length);
    }
    return put(type).put(offset);
  }
  Builder& data(std::size_t count) {
    bytes.resize((bytes.size() + 31) / 32 * 32 + count);
    return *this;
  }
};

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
  first.write(Builder()
                  .head(1, 2)
                  .count_key("split.no", 0)
                  .count_key("split.count", 2)
                  .tensor("a", {4}, 0, 0)
                  .data(16)
                  .bytes);
  second.write(Builder()
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
  std::filesystem::remove(second.path);
  CHECK_THROWS_WITH(read_gguf_header(first.path), Catch::Contains("-m-00002-of-00002.gguf"));
}

TEST_CASE("damage is named with its place") {
  const auto contains = [](const char* text) { return Catch::Contains(text); };
  CHECK_THAT(error_of("GGML...."), contains("doesn't begin with"));
  CHECK_THAT(error_of("GG"), contains("doesn't begin with"));
  CHECK_THAT(error_of(Builder().head(0, 0, 1).bytes), contains("version 1"));
  CHECK_THAT(error_of(Builder().head(1ull << 60, 0).bytes), contains("tensors and 0 keys"));
  CHECK_THAT(error_of(Builder().head(0, 1ull << 60).bytes), contains("keys in a file"));
  CHECK_THAT(error_of(Builder().head(0, 1).put<std::uint64_t>(1ull << 62).data(64).bytes),
             contains("a key of"));
  CHECK_THAT(error_of(Builder().head(0, 1).put_string("k").put<std::uint32_t>(13).data(64).bytes),
             contains("value type 13"));
  CHECK_THAT(error_of(Builder().head(0, 2).count_key("k", 1).count_key("k", 1).bytes),
             contains("key k is there twice"));
  CHECK_THAT(error_of(Builder()
                          .head(0, 1)
                          .put_string("k")
                          .put<std::uint32_t>(9)
                          .put<std::uint32_t>(9)
                          .put<std::uint64_t>(1)
                          .data(64)
                          .bytes),
             contains("array of arrays"));
  CHECK_THAT(error_of(Builder()
                          .head(0, 1)
                          .put_string("k")
                          .put<std::uint32_t>(9)
                          .put<std::uint32_t>(6)
                          .put<std::uint64_t>(1ull << 62)
                          .data(64)
                          .bytes),
             contains("array"));
  CHECK_THAT(error_of(Builder().head(1, 0).tensor("t", {4}, 99, 0).data(64).bytes),
             contains("tensor t: type 99"));
  CHECK_THAT(error_of(Builder().head(1, 0).tensor("t", {33}, 8, 0).data(64).bytes),
             contains("needs a multiple of 32"));
  CHECK_THAT(error_of(Builder().head(1, 0).tensor("t", {1ull << 40, 1ull << 40}, 0, 0).data(64).bytes),
             contains("dimension 1"));
  CHECK_THAT(error_of(Builder().head(1, 0).tensor("t", {0}, 0, 0).data(64).bytes),
             contains("dimension 0 is 0"));
  CHECK_THAT(error_of(Builder().head(1, 0).tensor("t", {8}, 0, 7).data(64).bytes),
             contains("no multiple of 32"));
  CHECK_THAT(error_of(Builder().head(1, 0).tensor("t", {800}, 0, 0).data(64).bytes), contains("cut short"));
  CHECK_THAT(error_of(Builder().head(2, 0).tensor("t", {4}, 0, 0).tensor("t", {4}, 0, 0).data(64).bytes),
             contains("there twice"));
  CHECK_THROWS_WITH(read_gguf_header("/nonexistent.gguf"), Catch::Contains("No such file"));
  CHECK_THROWS_WITH(read_gguf_header("/tmp"), Catch::Contains("not a file"));
}

TEST_CASE("a file cut anywhere, or with bytes flipped, is read or refused, never worse") {
  const std::string whole = read(kTiny);
  const TemporaryFile file("-damaged.gguf");
  std::size_t refused = 0;
  std::size_t cuts = 0;
  for (std::size_t size = 1; size < 70000; size += 997) {
    file.write(whole.substr(0, size));
    ++cuts;
    try {
      read_gguf_header(file.path);
    } catch (const InputError&) {
      ++refused;
    }
  }
  CHECK(refused == cuts);
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::string damaged = whole;
    for (int flips = 0; flips < 4; ++flips) {
      damaged[random() % 60000] = static_cast<char>(random());
    }
    file.write(damaged);
    std::size_t tensors = 0;
    try {
      tensors = read_gguf_header(file.path).tensors.size();
    } catch (const InputError&) {
      ++refused;
    }
    CHECK(tensors < 1000);
  }
  CHECK(refused > cuts);
}

TEST_CASE("block formats have their ids once") {
  for (const auto& format : kBlockFormats) {
    CHECK(block_format(format.id)->name == format.name);
  }
  CHECK_FALSE(block_format(4).has_value());
}

}  // namespace
}  // namespace gpqa
