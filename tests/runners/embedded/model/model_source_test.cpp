// Models on disk: what is none, and what is damaged.
#include "runners/embedded/model/model_source.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "prompts/input_error.h"
#include "runners/embedded/engine/loaded_model.h"
#include "tests/catch.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using Catch::Matchers::Contains;

namespace {

namespace fs = std::filesystem;
const fs::path kData = GPQA_TEST_DATA "/gemma4";

void overwrite(const fs::path& path, std::uint64_t at, const void* bytes, std::size_t count) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(count));
}

// As loading does it.
void check(const fs::path& path) {
  const ModelSource source(path);
  for (const auto& tensor : source.tensors()) source.check_numbers(tensor, 2);
}

}  // namespace

TEST_CASE("what is no model says what was expected") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(ModelSource(folder.path() / "none.gguf"), Contains("no such file"));
  CHECK_THROWS_WITH(ModelSource(folder.path()), Contains("config.json"));
  std::ofstream(folder.path() / "x.gguf") << "text";
  CHECK_THROWS_AS(ModelSource(folder.path() / "x.gguf"), FormatError);
  std::ofstream(folder.path() / "config.json") << "{}";
  CHECK_THROWS_AS(ModelSource(folder.path()), FormatError);
}

TEST_CASE("sound models hold finite numbers only, and progress comes to its end") {
  for (const char* name :
       {"tiny-bf16.gguf", "tiny-q8_0.gguf", "tiny-q6_k.gguf", "tiny-q4_k_m.gguf", "tiny-hf"}) {
    const ModelSource source(kData / name);
    CHECK_NOTHROW(check(kData / name));
    std::uint64_t last = 0;
    const LoadedModel loaded(std::make_unique<ModelSource>(kData / name),
                             {.cpu = {}, .sizes = {.slots = 1, .cells = 16, .max_tokens = 16}},
                             [&](std::uint64_t done, std::uint64_t all) {
                               CHECK(done >= last);
                               CHECK(all == source.tensor_bytes());
                               last = done;
                             });
    CHECK(last == source.tensor_bytes());
  }
}

TEST_CASE("a NaN or an infinity is found in each type, wherever a scale stands, and its tensor is named") {
  const auto file =
      GENERATE(as<std::string>(), "tiny-bf16.gguf", "tiny-q8_0.gguf", "tiny-q6_k.gguf", "tiny-q4_k_m.gguf");
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "damaged.gguf";
  fs::copy_file(kData / file, path);
  fs::permissions(path, fs::perms::owner_all);
  const GgufHeader header = read_gguf_header(path);
  for (const auto& tensor : header.tensors) {
    // In the last block: the place of each scale, by ggml's types.
    std::vector<std::uint64_t> places = {0};
    const std::uint32_t type = tensor.type;
    const auto block = *block_format(type);
    if (type == 12 || type == 13) places = {0, 2};
    if (type == 14) places = {208};
    const bool float32 = type == 0;
    for (const auto place : places) {
      const auto at = tensor.offset + tensor.bytes - block.bytes + place;
      std::uint32_t before = 0;
      std::ifstream in(path, std::ios::binary);
      in.seekg(static_cast<std::streamoff>(at));
      in.read(reinterpret_cast<char*>(&before), 4);
      const std::uint32_t word = float32 ? 0x7FC00000U : type == 30 ? 0xFF80U : 0xFC01U;
      overwrite(path, at, &word, float32 ? 4 : 2);
      INFO(file << " " << tensor.name);
      CHECK_THROWS_WITH(check(path), Contains(tensor.name) && Contains("finite"));
      overwrite(path, at, &before, float32 ? 4 : 2);
    }
  }
  CHECK_NOTHROW(check(path));
}
