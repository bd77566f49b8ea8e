// Dropping experts from Hugging Face checkpoints, against the one that transformers was given.
#include "experts/checkpoint_drop.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "experts/drop_record.h"
#include "prompts/input_error.h"
#include "runners/model_files/safetensors_reader.h"
#include "runners/model_files/safetensors_writer.h"
#include "tests/catch.h"
#include "tests/experts/tiny_drop.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::hash_of;
using gpqa_test::kDropData;
using gpqa_test::kQuiet;
using gpqa_test::kTiny;
using gpqa_test::tiny_traced_map;

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kOneFile = 5ULL << 30;
const fs::path kSource = kTiny + "tiny-hf";

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

fs::path copy_of_source(const TemporaryFolder& folder, const char* name = "source") {
  fs::copy(kSource, folder.path() / name);
  for (const auto& entry : fs::directory_iterator(folder.path() / name))
    fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
  return folder.path() / name;
}

void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string refusal(const fs::path& model, const fs::path& out, const TracedMap& map = tiny_traced_map()) {
  try {
    drop_from_checkpoint(model, map, "map.json", out, kOneFile, kQuiet);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a pruned checkpoint is the reference's, file by file and byte by byte") {
  const TemporaryFolder folder;
  const auto out = folder.path() / "out";
  // As large as transformers made the reference's files.
  const auto report =
      drop_from_checkpoint(kSource, tiny_traced_map(), "maps/tiny.json", out, 3'400'000, kQuiet);
  CHECK(report.experts_after == 12);
  for (const auto& entry : fs::directory_iterator(kTiny + "tiny-pruned-hf")) {
    INFO(entry.path());
    CHECK(contents(out / entry.path().filename()) == contents(entry.path()));
  }
  for (const char* name :
       {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"})
    CHECK(contents(out / name) == contents(kSource / name));
  auto expected = names_in(kSource);
  expected.insert(kRecordFile);
  CHECK(names_in(out) == expected);
  CHECK(names_in(folder.path()) == std::set<std::string>{"out"});
  CHECK(report.files.size() == expected.size());

  const SafetensorsCheckpoint checkpoint(out);
  const auto hashes = gpqa_test::read_json(kDropData + "tiny_pruned_tensors.sha256.json");
  REQUIRE(checkpoint.tensors().size() == hashes.size());
  for (const auto& tensor : checkpoint.tensors()) {
    INFO(tensor.name);
    const auto& golden = hashes.at(tensor.name);
    CHECK(tensor.format.name == golden.at("dtype").get<std::string>());
    CHECK(std::vector(tensor.shape.rbegin(), tensor.shape.rend()) ==
          golden.at("shape").get<std::vector<std::uint64_t>>());
    CHECK(hash_of(tensor) == golden.at("sha256").get<std::string>());
  }

  const auto record = gpqa_test::read_json(out / kRecordFile);
  const auto lists = gpqa_test::read_json(kDropData + "tiny_keep_lists.json");
  CHECK(record["source_model"] == "tiny-hf");
  CHECK(record["original_num_experts"] == 16);
  CHECK(record["num_experts"] == 12);
  CHECK(record["keep"] == lists["keep"]);
  CHECK(record["drop"] == lists["drop"]);
  CHECK(record["map"]["file"] == "tiny.json");
  CHECK(record["map"]["calibrated_on"] == "random numbers");
  CHECK(record["on_evaluated_questions"] == false);
}

TEST_CASE("a checkpoint that fits into one file is one, without an index") {
  const TemporaryFolder folder;
  drop_from_checkpoint(kSource, tiny_traced_map(), "tiny.json", folder.path() / "out/", kOneFile, kQuiet);
  const auto names = names_in(folder.path() / "out");
  CHECK(names.contains("model.safetensors"));
  CHECK_FALSE(names.contains("model.safetensors.index.json"));
  const SafetensorsCheckpoint checkpoint(folder.path() / "out");
  CHECK(checkpoint.metadata() == SafetensorsMetadata{{"format", "pt"}});
  // And one file is read as several are.
  auto map = tiny_traced_map();
  map.map = map_of_kept(std::vector<ExpertIds>(6, ExpertIds{0, 1, 2, 3, 5, 8}), 12);
  map.on_evaluated_questions = true;
  drop_from_checkpoint(folder.path() / "out", map, "next.json", folder.path() / "next", 1'000'000, kQuiet);
  const SafetensorsCheckpoint next(folder.path() / "next");
  CHECK(next.files().size() > 2);
  const auto& router = next.tensor("model.language_model.layers.3.router.proj.weight");
  const auto& before = checkpoint.tensor("model.language_model.layers.3.router.proj.weight");
  REQUIRE(router.shape == std::vector<std::uint64_t>{256, 6});
  for (const auto& [slot, id] : {std::pair(0, 0), std::pair(4, 5), std::pair(5, 8)})
    CHECK(std::equal(router.row(slot).begin(), router.row(slot).end(), before.row(id).begin()));
  const auto record = gpqa_test::read_json(folder.path() / "next" / kRecordFile);
  CHECK(record["earlier"]["map"]["file"] == "tiny.json");
  CHECK(record["on_evaluated_questions"] == true);
}

TEST_CASE("the text model alone is dropped from too; what else lies in the folder comes along or is told") {
  const TemporaryFolder folder;
  const auto source = folder.path() / "text";
  fs::create_directory(source);
  const SafetensorsCheckpoint whole(kSource);
  std::vector<TensorView> tensors(whole.tensors().begin(), whole.tensors().end());
  std::vector<TensorInfo> infos;
  constexpr std::string_view kPrefix = "model.language_model.";
  for (auto& tensor : tensors) {
    tensor.name = "model." + tensor.name.substr(kPrefix.size());
    infos.push_back(tensor.info());
  }
  {
    SafetensorsWriter writer(source, {}, infos, kOneFile);
    for (const auto& tensor : tensors) writer.write(tensor.bytes);
    writer.finish();
  }
  const std::string config =
      "{ \"num_experts\" : 16 ,\t\"top_k_experts\":4,\r\n\"note\": \"num_experts\\\": 16\", \"pi\": "
      "3.14159265358979323846264338327950288}";
  write(source / "config.json", config);
  write(source / "empty.txt", "");
  write(source / "LICENSE", "as it is");
  write(source / "README.md", "of 128 experts");
  write(source / "pytorch_model.bin", "weights");
  write(source / ".gitattributes", "hidden");
  fs::create_directory(source / "original");
  fs::create_symlink(kTiny + "tiny-hf/generation_config.json", source / "generation_config.json");
  const auto report =
      drop_from_checkpoint(source, tiny_traced_map(), "m.json", folder.path() / "out", kOneFile, kQuiet);
  CHECK(report.left_out ==
        std::vector<fs::path>{".gitattributes", "README.md", "original", "pytorch_model.bin"});
  CHECK(names_in(folder.path() / "out") ==
        std::set<std::string>{"LICENSE", "config.json", "empty.txt", "expert_drop_metadata.json",
                              "generation_config.json", "model.safetensors"});
  auto changed = config;
  changed.replace(changed.find("16"), 2, "12");
  CHECK(contents(folder.path() / "out/config.json") == changed);
  CHECK(contents(folder.path() / "out/LICENSE") == "as it is");
  CHECK_FALSE(fs::is_symlink(folder.path() / "out/generation_config.json"));
  const SafetensorsCheckpoint pruned(folder.path() / "out");
  CHECK(hash_of(pruned.tensor("model.layers.5.experts.down_proj")) ==
        gpqa_test::read_json(kDropData + "tiny_pruned_tensors.sha256.json")
            .at("model.language_model.layers.5.experts.down_proj")
            .at("sha256"));
}

TEST_CASE("what is wrong with a checkpoint or with where it should go is said, and nothing is written") {
  const TemporaryFolder folder;
  const auto out = folder.path() / "out";
  const auto check = [&](const fs::path& model, const fs::path& target, const std::string& a,
                         const std::string& b = "") {
    INFO(a);
    CHECK_THAT(refusal(model, target), Contains(a) && Contains(b));
    CHECK_FALSE(fs::exists(target.string() + ".part"));
  };
  const auto source = copy_of_source(folder);
  check(source, source, "lies inside the checkpoint");
  check(source, source / "sub/folder", "lies inside the checkpoint");
  fs::create_directory_symlink(source, folder.path() / "link");
  check(source, folder.path() / "link/new", "lies inside the checkpoint");
  write(folder.path() / "file", "x");
  check(source, folder.path() / "file", "is there already");
  fs::create_directory(folder.path() / "empty");
  check(source, folder.path() / "empty", "is there already");
  check(source, folder.path() / "no/parent", "can't be made");

  const auto shard = source / "model-00002-of-00002.safetensors";
  const auto whole = contents(shard);
  write(shard, whole.substr(0, whole.size() - 1000));
  check(source, out, "model-00002-of-00002.safetensors", "cut short or damaged");
  fs::remove(shard);
  check(source, out, "model-00002-of-00002.safetensors", "No such file");
  write(shard, whole);
  CHECK(refusal(source, folder.path() / "fine") == "accepted");

  const auto config = contents(source / "config.json");
  const auto with = [&](const std::string& from, const std::string& to) {
    auto text = config;
    text.replace(text.find(from), from.size(), to);
    write(source / "config.json", text);
  };
  with("\"num_experts\": 16", "\"num_experts\": 17");
  check(source, out, "is of 16 experts; the model says 17");
  with("\"num_experts\": 16", "\"num_experts\": 16, \"num_local_experts\": 8");
  check(source, out, "text_config/num_local_experts", "is 8");
  with("\"num_experts\": 16", "\"num_experts\": 16, \"num_experts\": 16");
  check(source, out, "can't be changed");
  with("\"num_experts\": 16", "\"num_experts\": 1.6e1");
  check(source, out, "expected a whole number");
  with("\"num_experts\": 16,", "");
  check(source, out, "text_config/num_experts", "is missing");
  with("\"top_k_experts\": 4", "\"top_k_experts\": 17");
  check(source, out, "17 are used");
  write(source / "config.json", "[]");
  check(source, out, "expected a JSON object");
  write(source / "config.json", config);

  auto map = tiny_traced_map();
  map.map.dropped.push_back(map.map.dropped[0]);
  CHECK_THAT(refusal(source, out, map), Contains("7 layers, the model 6"));
  CHECK_FALSE(fs::exists(out));
}

TEST_CASE("what a killed try left is used up, what it didn't leave is not touched") {
  const TemporaryFolder folder;
  const auto out = folder.path() / "out";
  const auto part = folder.path() / "out.part";
  fs::create_directory(part);
  write(part / "mine.txt", "not yours");
  CHECK_THAT(refusal(kSource, out), Contains("out.part") && Contains("mine.txt"));
  CHECK(contents(part / "mine.txt") == "not yours");
  fs::remove(part / "mine.txt");
  fs::create_directory(part / "model.safetensors");
  CHECK_THAT(refusal(kSource, out), Contains("in the way"));
  fs::remove(part / "model.safetensors");
  for (const char* name : {"model-00001-of-00007.safetensors.part", "model-00002-of-00007.safetensors",
                           "config.json", "tokenizer.json.part", "expert_drop_metadata.json"})
    write(part / name, "half");
  CHECK(refusal(kSource, out) == "accepted");
  CHECK(names_in(folder.path()) == std::set<std::string>{"out"});
  CHECK_FALSE(names_in(out).contains("model-00002-of-00007.safetensors"));
}

TEST_CASE("whoever stops in the middle leaves nothing") {
  const TemporaryFolder folder;
  struct Stop {};
  const auto stop = [](std::uint64_t done, std::uint64_t of) {
    if (done > of / 2) throw Stop();
  };
  CHECK_THROWS_AS(
      drop_from_checkpoint(kSource, tiny_traced_map(), "m", folder.path() / "out", 1'000'000, stop), Stop);
  CHECK(fs::is_empty(folder.path()));
}
