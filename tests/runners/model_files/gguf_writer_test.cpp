#include "runners/model_files/gguf_writer.h"

#include <cstring>
#include <random>

#include "prompts/input_error.h"
#include "prompts/sha256.h"
#include "runners/model_files/gguf_file.h"
#include "tests/catch.h"
#include "tests/runners/model_files/gguf_builder.h"
#include "tests/support/widen_gguf.h"
#include "tests/temporary_folder.h"

namespace gpqa {
namespace {

using gpqa_test::contents;

const std::filesystem::path kModels = GPQA_TEST_DATA "/gemma4";

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_CASE("a file that is written again unchanged has the same bytes") {
  const TemporaryFolder folder;
  // Written by llama-quantize, and by the gguf package of Python.
  for (const char* name : {"gemma4/tiny-q4_k_m.gguf", "gemma4/tiny-q6_k.gguf", "gemma4/tiny-q8_0.gguf",
                           "gemma4/tiny-bf16.gguf", "dequantize/blocks.gguf"}) {
    INFO(name);
    const auto original = std::filesystem::path(GPQA_TEST_DATA) / name;
    const auto copy = folder.path() / original.filename();
    const GgufFile file(original);
    write_gguf(copy, GgufMetadata(file), file.tensors());
    CHECK(contents(copy) == contents(original));
  }
}

TEST_CASE("widening the BF16 model gives the converter's own F32 file") {
  const TemporaryFolder folder;
  test::widen_gguf(kModels / "tiny-bf16.gguf", folder.path() / "f32.gguf");
  // convert_hf_to_gguf's with --outtype f32
  CHECK(sha256_hex(contents(folder.path() / "f32.gguf")) ==
        "62b26f6f33102c6ec02899bd7444a3a61004a3d9340a6bb48b6d0298bd7cd021");
}

TEST_CASE("keys are replaced where they stand, added at the end, removed") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "pruned.gguf";
  const GgufFile file(kModels / "tiny-q4_k_m.gguf");
  GgufMetadata metadata(file);
  metadata.set("gemma4.expert_count", std::uint32_t{12});
  metadata.set("general.name", "tiny without four");
  metadata.set("gpqa.kept", std::vector<std::int32_t>{0, 1, 5});
  CHECK(metadata.remove("tokenizer.ggml.scores"));
  CHECK_FALSE(metadata.remove("tokenizer.ggml.scores"));
  write_gguf(path, metadata, file.tensors());

  const GgufFile written(path);
  CHECK(written.count("gemma4.expert_count") == 12);
  CHECK(written.text("general.name") == "tiny without four");
  CHECK(written.integers("gpqa.kept") == std::vector<std::int64_t>{0, 1, 5});
  CHECK_FALSE(written.has("tokenizer.ggml.scores"));
  CHECK(written.strings("tokenizer.ggml.merges") == file.strings("tokenizer.ggml.merges"));
  std::vector<std::string> keys;
  for (const auto& entry : file.header().entries) {
    if (entry.key != "tokenizer.ggml.scores") keys.push_back(entry.key);
  }
  keys.emplace_back("gpqa.kept");
  std::vector<std::string> written_keys;
  for (const auto& entry : written.header().entries) written_keys.push_back(entry.key);
  CHECK(written_keys == keys);
}

TEST_CASE("every kind of value is read back as it was set") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "kinds.gguf";
  GgufMetadata metadata;
  metadata.set("u8", std::uint8_t{255});
  metadata.set("i8", std::int8_t{-128});
  metadata.set("u16", std::uint16_t{65535});
  metadata.set("i16", std::int16_t{-32768});
  metadata.set("u32", std::uint32_t{4294967295u});
  metadata.set("i32", std::int32_t{-2147483647});
  metadata.set("u64", std::uint64_t{1} << 63);
  metadata.set("i64", std::int64_t{-1});
  metadata.set("f32", 0.1f);
  metadata.set("f64", 0.1);
  metadata.set("yes", true);
  metadata.set("text", std::string("\0 and \xFF", 7));
  metadata.set("texts", std::vector<std::string>{"", "a"});
  metadata.set("flags", std::vector<bool>{true, false});
  metadata.set("none", std::vector<float>{});
  write_gguf(path, metadata, {});
  const GgufFile file(path);
  CHECK(file.header().entries.size() == 15);
  CHECK(file.count("u8") == 255);
  CHECK(file.integers("i8").at(0) == -128);
  CHECK(file.count("u16") == 65535);
  CHECK(file.integers("i16").at(0) == -32768);
  CHECK(file.count("u32") == 4294967295u);
  CHECK(file.integers("i32").at(0) == -2147483647);
  CHECK(file.count("u64") == std::uint64_t{1} << 63);
  CHECK(file.integers("i64").at(0) == -1);
  CHECK(file.floats("f32").at(0) == 0.1f);
  CHECK(file.number("f64") == 0.1);
  CHECK(file.flag("yes"));
  CHECK(file.text("text") == std::string_view("\0 and \xFF", 7));
  CHECK(file.strings("texts") == std::vector<std::string_view>{"", "a"});
  CHECK(file.flags("flags") == std::vector<bool>{true, false});
  CHECK(file.floats("none").empty());
}

// A random file: what was put in.
struct Random {
  std::mt19937 random;
  std::uint64_t below(std::uint64_t n) { return random() % n; }
  std::string bytes(std::uint64_t count) {
    std::string out(count, '\0');
    for (auto& c : out) c = static_cast<char>(random());
    return out;
  }
  template <class T>
  void number(GgufMetadata& metadata, const std::string& key) {
    const auto one = [&] {
      T value{};
      const std::string raw = bytes(sizeof value);
      std::memcpy(&value, raw.data(), sizeof value);
      return value;
    };
    if (below(2) == 0) {
      metadata.set(key, one());
      return;
    }
    std::vector<T> values(below(20));
    for (auto& value : values) value = one();
    metadata.set(key, values);
  }
  void key(GgufMetadata& metadata, const std::string& key) {
    switch (below(9)) {
      case 0:
        return number<std::uint8_t>(metadata, key);
      case 1:
        return number<std::int16_t>(metadata, key);
      case 2:
        return number<std::uint32_t>(metadata, key);
      case 3:
        return number<std::int64_t>(metadata, key);
      case 4:
        return number<float>(metadata, key);
      case 5:
        return number<double>(metadata, key);
      case 6:
        return metadata.set(key, below(2) == 0);
      case 7:
        return metadata.set(key, bytes(below(50)));
      default: {
        std::vector<std::string> texts(below(10));
        for (auto& text : texts) text = bytes(below(10));
        return metadata.set(key, texts);
      }
    }
  }
};

TEST_CASE("random metadata and tensors are read back equal, in order") {
  const TemporaryFolder folder;
  for (unsigned seed = 0; seed < 60; ++seed) {
    INFO("seed " << seed);
    Random random{std::mt19937(seed)};
    GgufMetadata metadata;
    const std::uint64_t keys = random.below(12);
    for (std::uint64_t i = 0; i < keys; ++i) random.key(metadata, "key" + std::to_string(i));
    if (random.below(2) == 0) metadata.set("general.alignment", std::uint32_t{1} << random.below(10));
    std::vector<TensorInfo> infos;
    std::vector<std::string> bytes;
    const std::uint64_t tensors = random.below(8);
    for (std::uint64_t i = 0; i < tensors; ++i) {
      const auto& format = kBlockFormats[random.below(kBlockFormats.size())];
      std::vector<std::uint64_t> shape{format.elements * (1 + random.below(3))};
      for (auto more = random.below(4); more > 0; --more) shape.push_back(1 + random.below(4));
      infos.push_back({"t" + std::to_string(i), format, shape});
      bytes.push_back(random.bytes(infos.back().byte_count()));
    }
    const auto path = folder.path() / (std::to_string(seed) + ".gguf");
    GgufWriter writer(path, metadata, infos);
    for (const auto& tensor : bytes) {
      // In pieces, some of them empty.
      for (std::size_t at = 0; at < tensor.size();) {
        const auto piece = tensor.substr(at, random.below(tensor.size() + 1));
        writer.write(std::as_bytes(std::span(piece)));
        at += piece.size();
      }
    }
    writer.finish();

    const GgufFile file(path);
    CHECK(file.header().alignment == metadata.alignment());
    REQUIRE(file.header().entries.size() == metadata.entries().size());
    for (std::size_t i = 0; i < metadata.entries().size(); ++i) {
      const auto& entry = file.header().entries[i];
      CHECK(entry.key == metadata.entries()[i].key);
      CHECK(entry.type == metadata.entries()[i].type);
      CHECK(text_of(file.raw(entry)) == metadata.entries()[i].bytes);
    }
    REQUIRE(file.tensors().size() == infos.size());
    for (std::size_t i = 0; i < infos.size(); ++i) {
      const auto& tensor = file.tensors()[i];
      CHECK(tensor.name == infos[i].name);
      CHECK(tensor.format.id == infos[i].format.id);
      CHECK(tensor.shape == infos[i].shape);
      CHECK(text_of(tensor.bytes) == bytes[i]);
    }
    const auto again = folder.path() / (std::to_string(seed) + "-again.gguf");
    write_gguf(again, GgufMetadata(file), file.tensors());
    CHECK(contents(again) == contents(path));
  }
}

TEST_CASE("a split model is written as one file, without the split's keys") {
  const TemporaryFolder folder;
  const auto part = [&](std::uint16_t index, const char* name) {
    GgufBuilder b;
    b.head(1, 3).count_key("split.no", index).count_key("split.count", 2).count_key("split.tensors.count", 2);
    auto path = folder.path() / ("m-0000" + std::to_string(index + 1) + "-of-00002.gguf");
    std::ofstream(path, std::ios::binary) << b.tensor(name, {4}, 0, 0).data(16).bytes;
    return path;
  };
  const auto first = part(0, "a");
  part(1, "b");
  const GgufFile split(first);
  write_gguf(folder.path() / "whole.gguf", GgufMetadata(split), split.tensors());
  const GgufFile whole(folder.path() / "whole.gguf");
  CHECK(whole.tensors().size() == 2);
  CHECK(whole.header().entries.empty());
}

TEST_CASE("a writer that stops before the end leaves nothing behind") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "half.gguf";
  {
    const std::vector<TensorInfo> infos{{"t", *block_format(0), {1000}}};
    GgufWriter writer(path, {}, infos);
    writer.write(std::vector<std::byte>(2000));
    CHECK_FALSE(std::filesystem::exists(path));
  }
  CHECK(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace gpqa
