// `gpqa experts drop` and `verify` as people run them: what they say, and what can befall them.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "experts/drop_map.h"
#include "harness/byte_size.h"
#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"
#include "tests/catch.h"
#include "tests/harness/shell.h"
#include "tests/harness/small_disk.h"
#include "tests/support/widen_gguf.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::Shell;
using gpqa_test::SmallDisk;

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const std::string kGemma = GPQA_TEST_DATA "/gemma4/";
const std::string kQ4 = kGemma + "tiny-q4_k_m.gguf";
const std::string kPublished = GPQA_TEST_DATA "/experts/teacher_force_98e_p16_clean.json";

DropMap tiny_map() {
  return parse_drop_map(Json::parse(contents(GPQA_TEST_DATA "/experts/tiny_keep_lists.json"))["drop"].dump(),
                        "m");
}

// A shell with the tiny model's map in it as tiny.json.
struct DropShell : Shell {
  DropShell() { write("tiny.json", drop_map_json(tiny_map())); }
  fs::path operator/(const std::string& name) const { return folder.path() / name; }
};

}  // namespace

TEST_CASE("sizes as people write them") {
  CHECK(parse_byte_size("4096") == 4096);
  CHECK(parse_byte_size("5GiB") == 5ULL << 30);
  CHECK(parse_byte_size("4 MB") == 4'000'000);
  for (const char* wrong : {"", "0", "-1", "5GiBs", "GiB", "1.5GB", "18446744073709551615KB"})
    CHECK_THROWS_AS(parse_byte_size(wrong), InputError);
  CHECK(byte_words(912) == "912 bytes");
  CHECK(byte_words(3'256'000) == "3.26 MB");
  CHECK(byte_words(17'790'000'000) == "17.79 GB");
}

TEST_CASE("experts drop and verify: one line makes a pruned GGUF, the next proves it") {
  const DropShell gpqa;
  const auto dropped = gpqa("experts drop " + kQ4 + " --map tiny.json 12e.gguf");
  INFO(dropped.err);
  REQUIRE(dropped.code == 0);
  CHECK_THAT(dropped.out, Contains("  experts     12 of 16 in each of 6 layers\n") &&
                              Contains("  calibrated  on what, nobody said\n") &&
                              Contains("gpqa experts verify " + kQ4 + " 12e.gguf --map tiny.json"));
  CHECK_THAT(dropped.out, !Contains("CONTAMINATED"));
  const auto proved = gpqa("experts verify " + kQ4 + " 12e.gguf --map tiny.json");
  CHECK(proved.code == 0);
  CHECK_THAT(proved.out, Contains("134 tensors, 288 slices") && Contains("  map         tiny.json\n") &&
                             Contains("It holds: every kept expert"));
  const auto found = gpqa("experts verify " + kQ4 + " 12e.gguf --save-map found.json");
  CHECK(found.code == 0);
  CHECK_THAT(found.out, Contains("recovered from their bytes") && Contains("none that is known"));
  CHECK(read_drop_map(gpqa / "found.json") == tiny_map());
  CHECK_THAT(gpqa("experts drop " + kQ4 + " --map tiny.json 12e.gguf").err, Contains("is there already"));
  // Of several maps it is said which.
  auto other = tiny_map();
  std::swap(other.dropped[1], other.dropped[2]);
  gpqa.write("other.json", drop_map_json(other));
  const auto which = gpqa("experts verify " + kQ4 + " 12e.gguf --map other.json --map tiny.json");
  CHECK(which.code == 0);
  CHECK_THAT(which.out, Contains("  map         tiny.json\n") && !Contains("other.json"));
  const auto wrong = gpqa("experts verify " + kQ4 + " 12e.gguf --map other.json --list 2");
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.out, Contains("other experts than those") && Contains("and ") &&
                            Contains("more (--list)") && Contains("It does NOT hold"));
}

TEST_CASE("experts verify names the tensor, the layer, the expert and the byte, as text and as JSON") {
  const DropShell gpqa;
  REQUIRE(gpqa("experts drop " + kQ4 + " --map tiny.json 12e.gguf").code == 0);
  auto bytes = contents(gpqa / "12e.gguf");
  {
    const GgufFile file(gpqa / "12e.gguf");
    for (const auto& tensor : file.header().tensors)
      if (tensor.name == "blk.3.ffn_down_exps.weight") bytes[tensor.offset + tensor.bytes / 12 * 7 + 11] ^= 1;
  }
  gpqa.write("damaged.gguf", bytes);
  const auto text = gpqa("experts verify " + kQ4 + " damaged.gguf");
  CHECK(text.code == 2);
  CHECK_THAT(text.out,
             Contains("DAMAGE  blk.3.ffn_down_exps.weight, layer 3: expert 7 (the original's 9): 1 of ") &&
                 Contains("the first at 11: ") && Contains("It does NOT hold: 1 damage (1 bytes).\n"));
  const auto result = gpqa("experts verify " + kQ4 + " damaged.gguf --format json");
  CHECK(result.code == 2);
  const auto json = Json::parse(result.out);
  CHECK(json["holds"] == false);
  CHECK(json["damages"] == 1);
  CHECK(json["listed"][0]["where"] == "blk.3.ffn_down_exps.weight");
  CHECK(json["listed"][0]["layer"] == 3);
  CHECK(json["listed"][0]["expert"] == 7);
  CHECK(json["listed"][0]["source"] == 9);
  CHECK(json["keep"] == Json::parse(contents(GPQA_TEST_DATA "/experts/tiny_keep_lists.json"))["keep"]);
}

TEST_CASE("experts drop: a checkpoint's folder, its proof, and what was not copied") {
  const DropShell gpqa;
  fs::copy(kGemma + "tiny-hf", gpqa / "hf");
  gpqa.write("hf/README.md", "16 experts");
  const auto dropped = gpqa("experts drop hf --map tiny.json --shard-size 3400000 12e");
  INFO(dropped.err);
  REQUIRE(dropped.code == 0);
  CHECK_THAT(dropped.out, Contains("  not copied  README.md\n"));
  CHECK(fs::exists(gpqa / "12e/model-00002-of-00002.safetensors"));
  CHECK(gpqa("experts verify hf 12e --map tiny.json").code == 0);
  CHECK(gpqa("experts verify hf 12e").code == 0);
  CHECK_THAT(gpqa("experts verify hf " + kQ4).err, Contains("expected two of a kind"));
  CHECK_THAT(gpqa("experts drop hf/model.safetensors.index.json --map tiny.json x").err,
             Contains("name its folder"));
  CHECK_THAT(gpqa("experts drop hf --map tiny.json --shard-size 4XB x").err,
             Contains("expected a size as 5GiB"));
  CHECK_THAT(gpqa("experts drop hf --map tiny.json hf/inside").err, Contains("lies inside the checkpoint"));
}

TEST_CASE("experts drop: the published map is known, and what was made by it is contaminated") {
  const DropShell gpqa;
  const auto refused = gpqa("experts drop " + kQ4 + " --map " + kPublished + " x.gguf");
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, Contains("the map has 30 layers, the model 6"));
  CHECK_FALSE(fs::exists(gpqa / "x.gguf"));
  gpqa.write("text", "hello");
  CHECK(gpqa("experts drop text --map tiny.json x").code == 2);
  CHECK(gpqa("experts drop absent --map tiny.json x").code == 2);
  CHECK_THAT(gpqa("experts drop --help").out, Contains("Example: gpqa experts drop"));
  CHECK_THAT(gpqa("experts verify --help").out, Contains("Exit codes: 0 it holds"));
}

TEST_CASE("experts drop: a disk that is full, or runs full, is said; nothing is left under any name") {
  const DropShell gpqa;
  fs::copy(kGemma + "tiny-hf", gpqa / "hf");
  const SmallDisk disk(gpqa / "disk", "size=1m");
  if (disk.mounted()) {
    for (const std::string& line : {"experts drop " + kQ4 + " --map tiny.json disk/12e.gguf",
                                    std::string("experts drop hf --map tiny.json disk/12e")}) {
      const auto full = gpqa(line);
      CHECK(full.code == 1);
      CHECK_THAT(full.err, Contains("No space left on device") && Contains("are free"));
      CHECK(fs::is_empty(gpqa / "disk"));
    }
    REQUIRE(disk.remount("size=8m"));
    CHECK(gpqa("experts drop " + kQ4 + " --map tiny.json disk/12e.gguf").code == 0);
    CHECK(gpqa("experts verify " + kQ4 + " disk/12e.gguf").code == 0);
  }
  // A limit on the size of files: what a file system says that can't tell beforehand.
  const auto limited =
      gpqa("experts drop " + kQ4 + " --map tiny.json 12e.gguf", "/dev/null", "ulimit -f 1000; ");
  CHECK(limited.code == 1);
  CHECK_THAT(limited.err, Contains("File too large"));
  CHECK_FALSE(fs::exists(gpqa / "12e.gguf"));
  CHECK_FALSE(fs::exists(gpqa / "12e.gguf.part"));
}

namespace {

// Ends the program by `signal` at moments from its start to a bit beyond its end. A file or folder under the
// final name is always whole; what was left is used up, whatever it is.
void check_killed(const DropShell& gpqa, const std::string& model, const std::string& out, int signal,
                  const std::string& more = "") {
  using Clock = std::chrono::steady_clock;
  const auto line = "experts drop " + model + " --map tiny.json " + more;
  const auto started = Clock::now();
  REQUIRE(gpqa(line + " calm").code == 0);
  const auto whole = Clock::now() - started;
  const auto verify = "experts verify " + model + " " + out + " --map tiny.json";

  const char* wanted = std::getenv("GPQA_KILLS");
  const int kills = std::max(50, wanted == nullptr ? 0 : std::atoi(wanted));
  std::mt19937 random(static_cast<std::uint32_t>(signal));
  int finished = 0;
  int parts = 0;
  for (int i = 0; i < kills; ++i) {
    const pid_t running = gpqa.start(line + " " + out);
    std::this_thread::sleep_for(whole * (random() % 1000) / 900);
    kill(running, signal);
    const auto result = gpqa.wait(running);
    const bool left = fs::exists(gpqa / (out + ".part"));
    INFO("kill " << i << ": " << result.code << " " << result.err);
    if (signal != SIGKILL) CHECK_FALSE(left);
    parts += left ? 1 : 0;
    if (fs::exists(gpqa / out)) {
      ++finished;
      CHECK(gpqa(verify).code == 0);
      fs::remove_all(gpqa / out);
    } else {
      REQUIRE(result.code != 0);
    }
  }
  WARN(kills << " ends by signal " << signal << ": " << parts << " left a part, " << finished
             << " were done");
  if (signal == SIGKILL) CHECK(parts > 0);
  CHECK(finished < kills);
  REQUIRE(gpqa(line + " " + out).code == 0);
  CHECK(gpqa(verify).code == 0);
  CHECK_FALSE(fs::exists(gpqa / (out + ".part")));
}

}  // namespace

TEST_CASE("experts drop: kill -9 at any moment never leaves half a GGUF under its name") {
  const DropShell gpqa;
  gpqa::test::widen_gguf(kGemma + "tiny-bf16.gguf", gpqa / "f32.gguf");
  check_killed(gpqa, "f32.gguf", "12e.gguf", SIGKILL);
}

TEST_CASE("experts drop: kill -9 at any moment never leaves half a checkpoint under its name") {
  const DropShell gpqa;
  check_killed(gpqa, kGemma + "tiny-hf", "12e", SIGKILL, "--shard-size 1MB");
}

TEST_CASE("experts drop: Ctrl-C leaves nothing, or a whole file") {
  const DropShell gpqa;
  gpqa::test::widen_gguf(kGemma + "tiny-bf16.gguf", gpqa / "f32.gguf");
  check_killed(gpqa, "f32.gguf", "12e.gguf", SIGINT);
}
