#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <span>

#include "prompts/input_error.h"
#include "runners/model_files/dequantize.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/safetensors_reader.h"
#include "runners/model_files/safetensors_types.h"
#include "runners/model_files/safetensors_writer.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

namespace gpqa {
namespace {

using gpqa_test::contents;
namespace fs = std::filesystem;

const fs::path kTiny = GPQA_TEST_DATA "/gemma4/tiny-hf";
const fs::path kMixed = GPQA_TEST_DATA "/safetensors/mixed.safetensors";

std::vector<TensorInfo> infos_of(std::span<const TensorView> tensors) {
  std::vector<TensorInfo> infos;
  for (const auto& tensor : tensors) infos.push_back(tensor.info());
  return infos;
}

// A file with that header and so many bytes of data.
std::string with_header(const std::string& json, std::size_t data) {
  const std::uint64_t length = json.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + json + std::string(data, 'd');
}

std::string error_of(const std::string& bytes) {
  // ASan watches the copy's ends.
  const std::vector<char> copy(bytes.begin(), bytes.end());
  try {
    parse_safetensors(std::as_bytes(std::span(copy)), "x.safetensors");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "";
}

std::string index_error_of(const std::string& json) {
  try {
    parse_safetensors_index(json, "i.json");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "";
}

// A copy of the tiny checkpoint, to be damaged.
struct Copy {
  TemporaryFolder folder;
  Copy() { fs::copy(kTiny, folder.path()); }
  fs::path operator/(const char* name) const { return folder.path() / name; }
  void replace(const char* name, const std::string& from, const std::string& to) const {
    std::string text = contents(folder.path() / name);
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
    std::ofstream(folder.path() / name, std::ios::binary) << text;
  }
};

TEST_CASE("a checkpoint's tensors are those of the GGUF made from it, in the same order of dimensions") {
  const SafetensorsCheckpoint checkpoint(kTiny);
  const GgufFile gguf(GPQA_TEST_DATA "/gemma4/tiny-bf16.gguf");
  CHECK(checkpoint.files().size() == 2);
  CHECK(checkpoint.tensors().size() == 133);
  CHECK(checkpoint.metadata() == SafetensorsMetadata{{"format", "pt"}});
  const std::string layer = "model.language_model.layers.5.";
  const std::map<std::string, std::string> same = {
      {"model.language_model.embed_tokens.weight", "token_embd.weight"},
      {layer + "experts.gate_up_proj", "blk.5.ffn_gate_up_exps.weight"},
      {layer + "self_attn.o_proj.weight", "blk.5.attn_output.weight"}};
  for (const auto& [ours, theirs] : same) {
    INFO(ours);
    const auto& a = checkpoint.tensor(ours);
    const auto& b = gguf.tensor(theirs);
    CHECK(a.format.name == "BF16");
    CHECK(a.shape == b.shape);
    CHECK(std::ranges::equal(a.bytes, b.bytes));
  }
  CHECK(checkpoint.find("lm_head.weight") == nullptr);
  CHECK_THROWS_WITH(checkpoint.tensor("lm_head.weight"),
                    Catch::Contains("model.safetensors.index.json: tensor lm_head.weight is missing"));
  // The same by its index; one shard alone has its own tensors only.
  CHECK(SafetensorsCheckpoint(kTiny / "model.safetensors.index.json").tensors().size() == 133);
  CHECK(SafetensorsCheckpoint(kTiny / "model-00002-of-00002.safetensors").tensors().size() == 70);
}

TEST_CASE("a file of the library's own: every dtype is listed, those that weights have are read") {
  const SafetensorsCheckpoint file(kMixed);
  CHECK(file.tensors().size() == 8);
  CHECK(file.tensor("b.weight").shape == std::vector<std::uint64_t>{3, 2});
  std::vector<float> values(6);
  dequantize(file.tensor("b.weight").format, file.tensor("b.weight").bytes, values);
  CHECK(values == std::vector<float>{0, 0.25, 0.5, 0.75, 1, 1.25});
  CHECK(file.tensor("scalar").elements() == 1);
  CHECK(file.tensor("scalar").rows() == 1);
  CHECK(file.tensor("empty").elements() == 0);
  CHECK(file.tensor("empty").bytes.empty());
  CHECK(file.tensor("odd \"name\"\n\u00e9\u20ac").format.name == "F64");
  CHECK(file.tensor("flags").format.id == kNoGgmlType);
  std::vector<float> three(3);
  CHECK_THROWS_WITH(dequantize(file.tensor("flags").format, file.tensor("flags").bytes, three),
                    Catch::Contains("BOOL can't be read"));
}

TEST_CASE("files that are written again unchanged have the same bytes") {
  const TemporaryFolder folder;
  for (const auto& path :
       {kTiny / "model-00001-of-00002.safetensors", kTiny / "model-00002-of-00002.safetensors", kMixed}) {
    const SafetensorsCheckpoint file(path);
    const auto copy = folder.path() / path.filename();
    SafetensorsWriter writer(copy, file.metadata(), infos_of(file.tensors()));
    for (const auto& tensor : file.tensors()) writer.write(tensor.bytes);
    writer.finish();
    CHECK(contents(copy) == contents(path));
  }
}

TEST_CASE("a checkpoint in shards is that of transformers, index and all") {
  const TemporaryFolder folder;
  const SafetensorsCheckpoint tiny(kTiny);
  SafetensorsWriter writer(folder.path(), tiny.metadata(), infos_of(tiny.tensors()), 4'000'000);
  for (const auto& tensor : tiny.tensors()) {
    const auto half = tensor.bytes.size() / 2;
    writer.write(tensor.bytes.first(half));
    writer.write(tensor.bytes.subspan(half));
  }
  for (const auto& entry : fs::directory_iterator(folder.path())) CHECK(entry.path().extension() == ".part");
  writer.finish();
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 3);
  for (const char* name : {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                           "model.safetensors.index.json"}) {
    INFO(name);
    CHECK(contents(folder.path() / name) == contents(kTiny / name));
  }
  CHECK_THROWS_WITH(SafetensorsWriter(folder.path(), {}, infos_of(tiny.tensors()), 4'000'000),
                    Catch::Contains("is there already"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 3);
}

TEST_CASE("what fits into one file has no index, and a tensor beyond the limit has its own file") {
  const auto f32 = *block_format(0);
  const auto names = [&](std::uint64_t limit) {
    const TemporaryFolder folder;
    const std::vector<TensorInfo> infos{{"a", f32, {2}}, {"b", f32, {8}}, {"c", f32, {1}}, {"d", f32, {1}}};
    SafetensorsWriter writer(folder.path(), {}, infos, limit);
    for (const auto& info : infos) writer.write(std::vector<std::byte>(info.byte_count()));
    writer.finish();
    CHECK(SafetensorsCheckpoint(folder.path()).tensors().size() == 4);
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder.path())) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  };
  CHECK(names(48) == std::vector<std::string>{"model.safetensors"});
  CHECK(names(16) ==
        std::vector<std::string>{"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                 "model-00003-of-00003.safetensors", "model.safetensors.index.json"});
}

TEST_CASE("what safetensors can't hold is refused before anything is written") {
  const TemporaryFolder folder;
  const std::vector<TensorInfo> quantised{{"q", *block_format(12), {256}}};
  CHECK_THROWS_WITH(SafetensorsWriter(folder.path() / "a.safetensors", {}, quantised),
                    Catch::Contains("tensor q is Q4_K"));
  const std::vector<TensorInfo> odd{{"\xFF", *block_format(0), {1}}};
  CHECK_THROWS_WITH(SafetensorsWriter(folder.path() / "a.safetensors", {}, odd), Catch::Contains("no UTF-8"));
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("random tensors are read back equal") {
  const TemporaryFolder folder;
  for (unsigned seed = 0; seed < 40; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    std::vector<TensorInfo> infos;
    std::vector<std::string> bytes;
    for (auto count = random() % 9; count > 0; --count) {
      const auto& format = kSafetensorsTypes[random() % kSafetensorsTypes.size()];
      std::vector<std::uint64_t> shape;
      for (auto dimensions = random() % 4; dimensions > 0; --dimensions) shape.push_back(random() % 5);
      if (shape.empty()) shape.push_back(1);
      shape[0] *= format.elements;
      infos.push_back({std::to_string(count) + std::string(random() % 5, '\t'), format, shape});
      std::string data(infos.back().byte_count(), '\0');
      for (auto& c : data) c = static_cast<char>(random());
      bytes.push_back(data);
    }
    const SafetensorsMetadata metadata(random() % 2, {"k\n", "\u00e9"});
    const auto path = folder.path() / (std::to_string(seed) + ".safetensors");
    SafetensorsWriter writer(path, metadata, infos);
    for (const auto& data : bytes) writer.write(std::as_bytes(std::span(data)));
    writer.finish();
    const SafetensorsCheckpoint file(path);
    CHECK(file.metadata() == metadata);
    REQUIRE(file.tensors().size() == infos.size());
    for (std::size_t i = 0; i < infos.size(); ++i) {
      const auto& tensor = file.tensor(infos[i].name);
      CHECK(tensor.shape == infos[i].shape);
      CHECK(tensor.format.name == infos[i].format.name);
      CHECK(std::memcmp(tensor.bytes.data(), bytes[i].data(), bytes[i].size()) == 0);
      CHECK(tensor.bytes.size() == bytes[i].size());
    }
  }
}

TEST_CASE("a damaged header is named with what was expected") {
  const auto contains = [](const char* text) { return Catch::Contains(text); };
  const auto one = [](const std::string& fields, std::size_t data = 8) {
    return with_header("{\"t\":{" + fields + "}}", data);
  };
  CHECK(error_of(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])")).empty());
  CHECK_THAT(error_of("1234567"), contains("x.safetensors:header: 7 bytes are no safetensors file"));
  CHECK_THAT(error_of(with_header("{}", 0).substr(0, 9)), contains("2 bytes long in a file of 9"));
  CHECK_THAT(error_of(std::string(100, '\xFF')), contains("18446744073709551615 bytes long"));
  CHECK_THAT(error_of(with_header("[]", 0)), contains("expected a JSON object"));
  CHECK_THAT(error_of(with_header("{\"t\":", 0)), contains("expected a JSON object"));
  CHECK_THAT(error_of(with_header("{}{}", 0)), contains("expected a JSON object"));
  CHECK_THAT(error_of(with_header("{" + std::string(5000, '['), 0)), contains("expected a JSON object"));
  CHECK_THAT(error_of(with_header("{}", 3)), contains("3 bytes at the end belong to no tensor"));
  CHECK_THAT(error_of(with_header(R"({"t":4})", 0)), contains("tensor t: expected an object"));
  CHECK_THAT(error_of(with_header(R"({"__metadata__":{"a":1}})", 0)),
             contains("__metadata__: expected a string"));
  CHECK_THAT(error_of(with_header(R"({"__metadata__":[]})", 0)),
             contains("__metadata__: expected an object"));
  CHECK_THAT(error_of(with_header(R"({"__metadata__":{"a":"1","a":"2"}})", 0)), contains("has a twice"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":[2])")), contains("expected a name, dtype, shape"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])")),
             contains("tensor t: has dtype twice"));
  CHECK_THAT(error_of(one(R"("dtype":"Q9","shape":[2],"data_offsets":[0,8])")), contains("dtype Q9"));
  CHECK_THAT(error_of(one(R"("dtype":7,"shape":[2],"data_offsets":[0,8])")),
             contains("dtype: expected a string"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":[2.5],"data_offsets":[0,8])")),
             contains("shape: expected whole numbers"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])")),
             contains("shape: expected whole numbers"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":2,"data_offsets":[0,8])")),
             contains("shape: expected an array"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])")),
             contains("8 bytes for F32 of shape [3]; expected 12"));
  CHECK_THAT(error_of(one(R"("dtype":"F16","shape":[2],"data_offsets":[0,8])")), contains("expected 4"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":[9223372036854775808,2],"data_offsets":[0,0])", 0)),
             contains("0 bytes for F32 of shape [9223372036854775808, 2]"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])", 0)),
             contains("0 bytes for F32"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])")),
             contains("data_offsets [4, 12]: expected a begin and an end within 8 bytes"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])")),
             contains("data_offsets [8, 0]"));
  CHECK_THAT(error_of(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,16])")), contains("data_offsets"));
  const auto two = [](const char* second, std::size_t data) {
    return with_header(
        std::string(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)") + second + "}", data);
  };
  CHECK_THAT(error_of(two(R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]})", 8)),
             contains("tensor b: overlaps the tensor before it"));
  CHECK_THAT(error_of(two(R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 8)),
             contains("overlaps"));
  CHECK_THAT(error_of(two(R"("b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]})", 16)),
             contains("tensor b: leaves a gap"));
  CHECK_THAT(error_of(two(R"("a":{"dtype":"F32","shape":[1],"data_offsets":[8,12]})", 12)),
             contains("a is there twice"));
}

TEST_CASE("an index that doesn't fit its files is named with the tensor") {
  const auto contains = [](const char* text) { return Catch::Contains(text); };
  CHECK_THAT(index_error_of("{}"), contains("i.json:weight_map: is missing"));
  CHECK_THAT(index_error_of("nonsense"), contains("expected a JSON object"));
  CHECK_THAT(index_error_of(R"({"weight_map":[]})"), contains("expected one object"));
  CHECK_THAT(index_error_of(R"({"weight_map":{}})"), contains("names no tensor"));
  CHECK_THAT(index_error_of(R"({"weight_map":{"t":1}})"), contains("t: expected a string"));
  CHECK_THAT(index_error_of(R"({"weight_map":{"t":"a","t":"a"}})"), contains("tensor t is there twice"));
  for (const char* file : {"../a.safetensors", "/etc/passwd", "..", ".", "", "a\\u0000b"}) {
    CHECK_THAT(index_error_of(R"({"weight_map":{"t":")" + std::string(file) + "\"}}"),
               contains("expected a file's name"));
  }
  const char* index = "model.safetensors.index.json";
  const std::string norm = "\"model.language_model.norm.weight\": \"model-00002-of-00002.safetensors\"";
  {
    const Copy copy;
    copy.replace(index, norm, norm + ",\n\"extra\": \"model-00001-of-00002.safetensors\"");
    CHECK_THROWS_WITH(SafetensorsCheckpoint(copy.folder.path()),
                      contains("model-00001-of-00002.safetensors:tensor extra: isn't there, but "
                               "model.safetensors.index.json has it here"));
  }
  {
    const Copy copy;
    copy.replace(index, ",\n    " + norm, "");
    CHECK_THROWS_WITH(
        SafetensorsCheckpoint(copy.folder.path()),
        contains("tensor model.language_model.norm.weight: model.safetensors.index.json doesn't name it"));
  }
  {
    const Copy copy;
    copy.replace(index, norm, "\"model.language_model.norm.weight\": \"model-00001-of-00002.safetensors\"");
    CHECK_THROWS_WITH(SafetensorsCheckpoint(copy.folder.path()), contains("has it in model-00001"));
  }
  {
    const Copy copy;
    fs::remove(copy / "model-00002-of-00002.safetensors");
    CHECK_THROWS_WITH(SafetensorsCheckpoint(copy.folder.path()),
                      contains("model-00002-of-00002.safetensors: No such file"));
  }
  {
    const Copy copy;
    fs::copy(copy / "model-00002-of-00002.safetensors", copy / "model-00003-of-00003.safetensors");
    CHECK_THROWS_WITH(SafetensorsCheckpoint(copy.folder.path()),
                      contains("model-00003-of-00003.safetensors lies beside it"));
  }
  const TemporaryFolder empty;
  CHECK_THROWS_WITH(SafetensorsCheckpoint(empty.path()), contains("no checkpoint: expected"));
}

TEST_CASE("a shard cut anywhere is refused") {
  const std::string whole = contents(kTiny / "model-00002-of-00002.safetensors");
  for (std::size_t part = 0; part < 50; ++part) {
    CHECK_FALSE(error_of(whole.substr(0, whole.size() * part / 50)).empty());
  }
  CHECK_FALSE(error_of(whole.substr(0, whole.size() - 1)).empty());
  CHECK(error_of(whole).empty());
}

TEST_CASE("header bytes flipped at random are read or refused, never worse") {
  const std::string whole = contents(kMixed);
  std::mt19937 random(3);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = whole;
    for (int flips = 0; flips < 3; ++flips)
      damaged[random() % 536] ^= static_cast<char>(1u << (random() % 8));
    refused += error_of(damaged).empty() ? 0 : 1;
  }
  CHECK(refused > 1000);
  CHECK(refused < 3000);
}

}  // namespace
}  // namespace gpqa
