// Packed weights beside a model: written once, mapped at later starts, never taken for another model's.
#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

#include "prompts/input_error.h"
#include "runners/embedded/engine/loaded_model.h"
#include "runners/model_files/mapped_file.h"
#include "tests/catch.h"
#include "tests/runners/embedded/tiny_model.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using gpqa_test::kGemmaData;
using gpqa_test::same_bits;
namespace fs = std::filesystem;

namespace {

struct Loaded {
  bool mapped;
  std::vector<float> logits;
};

Loaded load(const fs::path& path, bool keep_packed, bool check_numbers = true) {
  LoadedModel loaded(std::make_unique<ModelSource>(path),
                     {.cpu = {.threads = 2},
                      .sizes = {.slots = 1, .cells = 64, .max_tokens = 16, .max_logits = 16},
                      .check_numbers = check_numbers,
                      .keep_packed = keep_packed});
  Batch batch;
  for (std::size_t i = 0; i < 5; ++i) batch.add(static_cast<std::int32_t>(2 + 100 * i), i, 0);
  const std::vector<std::size_t> wanted = {4};
  return {loaded.mapped(), loaded.backend().read_back(loaded.model().forward(batch, wanted))};
}

void overwrite(const fs::path& path, std::uint64_t at, char byte) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

}  // namespace

TEST_CASE("packed weights that were kept are mapped, and say the same to the bit") {
  const auto name = GENERATE(as<std::string>(), "tiny-q4_k_m.gguf", "tiny-q6_k.gguf", "tiny-hf");
  INFO(name);
  const TemporaryFolder folder;
  const auto model = folder.path() / name;
  fs::copy(kGemmaData + name, model, fs::copy_options::recursive);
  const auto first = load(model, false);
  CHECK_FALSE(first.mapped);
  CHECK_FALSE(fs::exists(folder.path() / (name + ".packed")));
  const auto kept = load(model, true);
  CHECK_FALSE(kept.mapped);
  CHECK(fs::exists(folder.path() / (name + ".packed")));
  CHECK_FALSE(fs::exists(folder.path() / (name + ".packed.part")));
  const auto written = fs::last_write_time(folder.path() / (name + ".packed"));
  for (const bool keep : {false, true}) {
    const auto again = load(model, keep);
    CHECK(again.mapped);
    CHECK(same_bits(again.logits, first.logits));
  }
  CHECK(same_bits(kept.logits, first.logits));
  CHECK(fs::last_write_time(folder.path() / (name + ".packed")) == written);
}

TEST_CASE("packed weights of another model, or damaged ones, are not used, and made anew on request") {
  const TemporaryFolder folder;
  const auto model = folder.path() / "tiny.gguf";
  const auto packed = folder.path() / "tiny.gguf.packed";
  fs::copy_file(kGemmaData + "tiny-q6_k.gguf", model);
  const auto expected = load(model, true);
  SECTION("another model under the same name") {
    fs::remove(model);
    fs::copy_file(kGemmaData + "tiny-q8_0.gguf", model);
    const auto other = load(model, false);
    CHECK_FALSE(other.mapped);
    CHECK_FALSE(same_bits(other.logits, expected.logits));
    CHECK_FALSE(load(model, true).mapped);
    const auto again = load(model, false);
    CHECK(again.mapped);
    CHECK(same_bits(again.logits, other.logits));
  }
  SECTION("the same file, changed later") {
    const auto later = fs::last_write_time(model) + std::chrono::seconds(1);
    fs::last_write_time(model, later);
    CHECK_FALSE(load(model, false).mapped);
  }
  SECTION("a damaged index") {
    overwrite(packed, fs::file_size(packed) - 200, '!');
    CHECK_FALSE(load(model, false).mapped);
  }
  SECTION("a file that was cut") {
    fs::resize_file(packed, fs::file_size(packed) / 2);
    CHECK_FALSE(load(model, false).mapped);
    fs::resize_file(packed, 10);
    CHECK_FALSE(load(model, false).mapped);
    fs::resize_file(packed, 0);
    CHECK(same_bits(load(model, true).logits, expected.logits));
    CHECK(load(model, false).mapped);
  }
}

TEST_CASE("packed weights that nobody checked are checked at a start that asks for it") {
  const TemporaryFolder folder;
  const auto model = folder.path() / "tiny.gguf";
  fs::copy_file(kGemmaData + "tiny-q8_0.gguf", model);
  // The last block's scale becomes a NaN.
  const ModelSource source(model);
  const auto& last = *source.find("blk.5.ffn_down_exps.weight");
  const MappedFile bytes(model);
  const auto at = static_cast<std::uint64_t>(last.bytes.size()) - 34;
  const auto text = bytes.text();
  const std::string_view block(reinterpret_cast<const char*>(last.bytes.data() + at), 34);
  const auto offset = text.find(block);
  REQUIRE(offset != std::string_view::npos);
  overwrite(model, offset, '\xff');
  overwrite(model, offset + 1, '\x7f');
  load(model, true, false);
  CHECK_THROWS_AS(load(model, false, true), FormatError);
}
