// What verify finds: nothing in what was dropped rightly, and every damage in what was damaged.
#include "experts/verify_drop.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "experts/checkpoint_drop.h"
#include "experts/contribution_map.h"
#include "experts/drop_plan.h"
#include "experts/gguf_drop.h"
#include "experts/match_maps.h"
#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/gguf_writer.h"
#include "runners/model_files/safetensors_reader.h"
#include "tests/catch.h"
#include "tests/experts/tiny_drop.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::kQuiet;
using gpqa_test::kTiny;
using gpqa_test::tiny_map;
using gpqa_test::tiny_traced_map;

namespace fs = std::filesystem;

namespace {

const fs::path kQ4 = kTiny + "tiny-q4_k_m.gguf";
const fs::path kHf = kTiny + "tiny-hf";
constexpr std::uint64_t kOneFile = 5ULL << 30;

void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

VerifyOptions by_map() {
  VerifyOptions options;
  options.map = tiny_map();
  return options;
}

// Where each tensor's bytes lie in a GGUF of one file.
std::uint64_t offset_of(const GgufFile& file, const std::string& name) {
  for (const auto& tensor : file.header().tensors)
    if (tensor.name == name) return tensor.offset;
  FAIL(name);
  return 0;
}

// A pruned tiny GGUF in memory, to be damaged.
struct Pruned {
  TemporaryFolder folder;
  fs::path path = folder.path() / "pruned.gguf";
  std::string bytes;
  Pruned() {
    drop_from_gguf(kQ4, tiny_traced_map(), "map.json", path, kQuiet);
    bytes = contents(path);
  }
  Verification verified(const std::string& damaged, const VerifyOptions& options = {}) const {
    const auto other = folder.path() / "damaged.gguf";
    write(other, damaged);
    return verify_gguf_drop(kQ4, other, options);
  }
  // With one bit of the file flipped.
  Verification flipped(std::uint64_t at, int bit, const VerifyOptions& options) const {
    const auto put = [&](char byte) {
      std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(static_cast<std::streamoff>(at)).put(byte);
    };
    put(static_cast<char>(bytes[at] ^ (1 << bit)));
    auto found = verify_gguf_drop(kQ4, path, options);
    put(bytes[at]);
    return found;
  }
  // The same file with other metadata, or other tensors.
  template <class Change>
  Verification rewritten(const Change& change, const VerifyOptions& options = {}) const {
    const GgufFile file(path);
    GgufMetadata metadata(file);
    std::vector<TensorView> tensors(file.tensors().begin(), file.tensors().end());
    change(metadata, tensors);
    const auto other = folder.path() / "rewritten.gguf";
    fs::remove(other);
    write_gguf(other, metadata, tensors);
    return verify_gguf_drop(kQ4, other, options);
  }
};

const Damage& only(const Verification& found) {
  for (const auto& damage : found.damages.listed()) UNSCOPED_INFO(damage.where << ": " << damage.what);
  REQUIRE(found.damages.count() == 1);
  return found.damages.listed().front();
}

}  // namespace

TEST_CASE("what was dropped rightly holds, with a map and without, in one thread and in several") {
  const auto type = GENERATE(as<std::string>(), "bf16", "q8_0", "q6_k", "q4_k_m");
  const TemporaryFolder folder;
  const auto pruned = folder.path() / "pruned.gguf";
  const auto original = kTiny + "tiny-" + type + ".gguf";
  drop_from_gguf(original, tiny_traced_map(), "map.json", pruned, kQuiet);
  auto options = by_map();
  std::uint64_t told = 0;
  options.on_progress = [&](std::uint64_t done, std::uint64_t of) {
    told = std::max(told, std::min(done, of));
  };
  for (const bool with_map : {true, false}) {
    if (!with_map) options.map.reset();
    options.threads = with_map ? 1 : 3;
    const auto found = verify_gguf_drop(original, pruned, options);
    for (const auto& damage : found.damages.listed()) UNSCOPED_INFO(damage.where << ": " << damage.what);
    CHECK(found.holds());
    CHECK(found.layers == 6);
    CHECK(found.experts_before == 16);
    CHECK(found.experts_after == 12);
    CHECK(found.keep == keep_lists(tiny_map(), 16));
    CHECK(found.recovered.unmatched.empty());
    CHECK(found.recovered.equals(keep_lists(tiny_map(), 16)));
    CHECK(found.tensors == 134);
    CHECK(found.slices == 6 * 4 * 12);
    CHECK(told > 0);
  }
}

TEST_CASE("a checkpoint's drop holds, and so does transformers' own") {
  const TemporaryFolder folder;
  const auto pruned = folder.path() / "pruned";
  drop_from_checkpoint(kHf, tiny_traced_map(), "map.json", pruned, kOneFile, kQuiet);
  CHECK(verify_checkpoint_drop(kHf, pruned, by_map()).holds());
  CHECK(verify_checkpoint_drop(kHf, pruned, {}).holds());
  // It has no tokenizer, which is all that is found.
  const auto golden = verify_checkpoint_drop(kHf, kTiny + "tiny-pruned-hf", {});
  CHECK(golden.recovered.equals(keep_lists(tiny_map(), 16)));
  CHECK(golden.damages.count() == golden.damages.count(Damage::Kind::file));
  CHECK(golden.damages.count() == 4);
  CHECK(golden.damages.listed().front().where == "chat_template.jinja");
}

TEST_CASE("any byte of any tensor that is flipped is found, and named") {
  const Pruned pruned;
  const GgufFile file(pruned.path);
  const auto keep = keep_lists(tiny_map(), 16);
  std::mt19937 random(8);
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < file.tensors().size(); ++i) indices.push_back(i);
  std::shuffle(indices.begin(), indices.end(), random);
  for (const auto index : indices) {
    const auto& tensor = file.tensors()[index];
    const auto at = random() % tensor.bytes.size();
    const bool with_map = random() % 2 == 0;
    INFO(tensor.name << " byte " << at << (with_map ? " by the map" : " recovered"));
    const auto found = pruned.flipped(offset_of(file, tensor.name) + at, static_cast<int>(random() % 8),
                                      with_map ? by_map() : VerifyOptions{});
    const auto& damage = only(found);
    CHECK(damage.kind == Damage::Kind::bytes);
    CHECK(damage.where == tensor.name);
    CHECK(damage.first == at);
    CHECK_THAT(damage.what, Contains("1 of ") && Contains("bytes differs, the first at"));
    if (damage.expert) {
      const auto layer = static_cast<std::size_t>(tensor.name[4] - '0');
      CHECK(damage.layer == layer);
      CHECK(*damage.expert == at / (tensor.bytes.size() / 12));
      CHECK(damage.source == keep[layer][*damage.expert]);
    }
    CHECK(found.recovered.equals(keep));
  }
}

TEST_CASE("swapped experts are found, in one tensor or in all of a layer, and told whose bytes they are") {
  const Pruned pruned;
  const GgufFile file(pruned.path);
  const auto keep = keep_lists(tiny_map(), 16);
  std::mt19937 random(9);
  for (int turn = 0; turn < 20; ++turn) {
    const auto layer = random() % 6;
    const auto a = random() % 12;
    const auto b = (a + 1 + random() % 11) % 12;
    const bool all = turn % 2 == 0;
    auto damaged = pruned.bytes;
    std::size_t swapped = 0;
    for (const char* part :
         {"ffn_gate_up_exps.weight", "ffn_down_exps.weight", "ffn_gate_inp.weight", "ffn_down_exps.scale"}) {
      if (!all && std::string(part) != "ffn_down_exps.weight") continue;
      const auto name = "blk." + std::to_string(layer) + "." + part;
      const auto expert = file.tensor(name).bytes.size() / 12;
      const auto begin = damaged.begin() + static_cast<std::ptrdiff_t>(offset_of(file, name));
      std::swap_ranges(begin + static_cast<std::ptrdiff_t>(a * expert),
                       begin + static_cast<std::ptrdiff_t>((a + 1) * expert),
                       begin + static_cast<std::ptrdiff_t>(b * expert));
      ++swapped;
    }
    INFO("layer " << layer << ": " << a << " and " << b << (all ? ", all parts" : ""));
    for (const bool with_map : {true, false}) {
      const auto found = pruned.verified(damaged, with_map ? by_map() : VerifyOptions{});
      if (with_map) CHECK(found.damages.count() == 2 * swapped);
      CHECK(found.damages.count() > 0);
      std::size_t told = 0;
      for (const auto& damage : found.damages.listed()) {
        if (!with_map && damage.kind == Damage::Kind::metadata) continue;  // its record names other experts
        CHECK(damage.layer == layer);
        if (!with_map || (damage.expert != a && damage.expert != b)) continue;
        const auto other = keep[layer][damage.expert == a ? b : a];
        const bool scale = damage.where.ends_with("ffn_down_exps.scale");
        CHECK(damage.what.ends_with(scale ? "" : "it is the original's expert " + std::to_string(other)));
        ++told;
      }
      if (with_map) CHECK(told == 2 * swapped);
      // Two parts of three are still in their place, so that the list is known.
      if (!all) CHECK(found.recovered.equals(keep));
    }
  }
}

TEST_CASE("wrong counts, missing and foreign tensors, other keys are found and named") {
  const Pruned pruned;
  using Tensors = std::vector<TensorView>;
  const auto at = [](Tensors& tensors, std::string_view name) {
    return std::find_if(tensors.begin(), tensors.end(),
                        [&](const auto& tensor) { return tensor.name == name; });
  };
  for (const bool with_map : {true, false}) {
    const auto options = with_map ? by_map() : VerifyOptions{};
    auto found = pruned.rewritten(
        [](GgufMetadata& metadata, Tensors&) { metadata.set("gemma4.expert_count", std::uint32_t{16}); },
        options);
    CHECK(only(found).where == "gemma4.expert_count");
    CHECK(only(found).what == "is 16; expected 12");
    CHECK(only(found).kind == Damage::Kind::count);
    found = pruned.rewritten([](GgufMetadata& metadata, Tensors&) { metadata.remove("gemma4.expert_count"); },
                             options);
    CHECK(only(found).what == "the key is missing");
    found = pruned.rewritten(
        [](GgufMetadata& metadata, Tensors&) { metadata.set("gemma4.rope.freq_base", 1e5f); }, options);
    CHECK(only(found).where == "gemma4.rope.freq_base");
    found = pruned.rewritten(
        [](GgufMetadata& metadata, Tensors&) { metadata.set("gemma4.block_count", std::uint64_t{6}); },
        options);
    CHECK(only(found).where == "gemma4.block_count");
    found = pruned.rewritten([](GgufMetadata& metadata, Tensors&) { metadata.set("a.new", true); }, options);
    CHECK(only(found).what == "the key isn't in the original");

    found = pruned.rewritten(
        [&](GgufMetadata&, Tensors& tensors) {
          auto& tensor = *at(tensors, "blk.2.ffn_down_exps.scale");
          tensor.shape = {11};
          tensor.bytes = tensor.bytes.first(44);
        },
        options);
    CHECK(only(found).where == "blk.2.ffn_down_exps.scale");
    CHECK(only(found).layer == 2);
    CHECK(only(found).what == "is of 11 experts; expected 12");
    found = pruned.rewritten(
        [&](GgufMetadata&, Tensors& tensors) { tensors.erase(at(tensors, "blk.3.ffn_gate_inp.weight")); },
        options);
    CHECK(only(found).where == "blk.3.ffn_gate_inp.weight");
    CHECK(only(found).what == "is missing");
    found = pruned.rewritten(
        [&](GgufMetadata&, Tensors& tensors) { at(tensors, "output_norm.weight")->name = "x"; }, options);
    CHECK(found.damages.count(Damage::Kind::tensor) == 2);
    found = pruned.rewritten(
        [&](GgufMetadata&, Tensors& tensors) {
          auto& tensor = *at(tensors, "blk.0.attn_norm.weight");
          tensor.format = *block_format(26);
        },
        options);
    CHECK(only(found).what == "is I32 [256]; expected F32 [256]");
    // The experts of one layer more.
    found = pruned.rewritten(
        [&](GgufMetadata&, Tensors& tensors) {
          auto more = *at(tensors, "blk.0.ffn_down_exps.scale");
          more.name = "blk.6.ffn_down_exps.scale";
          tensors.push_back(more);
        },
        options);
    CHECK_FALSE(found.holds());
    CHECK(found.damages.listed().front().what == "7 have experts; expected 6");
  }
  // All of a layer's parts have one expert too few.
  const auto found = pruned.rewritten([&](GgufMetadata&, Tensors& tensors) {
    for (auto& tensor : tensors)
      if (tensor.name.starts_with("blk.1.") && tensor.shape.back() == 12) {
        tensor.bytes = tensor.bytes.first(tensor.bytes.size() / 12 * 11);
        tensor.shape.back() = 11;
      }
  });
  CHECK(found.damages.count(Damage::Kind::count) == 4);
}

TEST_CASE("another map than the one that was applied doesn't hold, and a record that lies is told") {
  const Pruned pruned;
  auto options = by_map();
  std::swap(options.map->dropped[0], options.map->dropped[1]);
  const auto found = pruned.verified(pruned.bytes, options);
  CHECK_FALSE(found.holds());
  CHECK(found.recovered.equals(keep_lists(tiny_map(), 16)));
  CHECK_FALSE(found.recovered.equals(keep_lists(*options.map, 16)));
  for (const auto& damage : found.damages.listed())
    if (damage.layer) CHECK(*damage.layer < 2);
  auto lying = pruned.bytes;
  const std::string said = R"("drop":{"0":[1,6,9,14])";
  lying.replace(lying.find(said), said.size(), R"("drop":{"0":[1,6,9,15])");
  CHECK(only(pruned.verified(lying)).where == "gpqa.expert_drop.record");
  // A map that can't be one of the original's is wrong input, not damage.
  options.map->dropped.pop_back();
  CHECK_THROWS_AS(pruned.verified(pruned.bytes, options), InputError);
}

TEST_CASE("what a model was pruned by is found again: the map, or the criterion on what was measured") {
  const TemporaryFolder folder;
  const std::string measured = gpqa_test::kDropData + "tiny_expert_neuron_v4.json";
  const ContributionMap map = read_contributions(measured);
  DropPlanOptions options;
  options.keep = 11;
  options.criterion = Criterion::tc;
  auto traced = tiny_traced_map();
  traced.map = plan_drops(std::span(&map, 1), options).map;
  const auto pruned = folder.path() / "pruned.gguf";
  drop_from_gguf(kQ4, traced, "map.json", pruned, kQuiet);
  const auto found = verify_gguf_drop(kQ4, pruned, {});
  REQUIRE(found.holds());
  const std::string files[] = {measured};
  const auto matches = match_criteria(found, files);
  REQUIRE_FALSE(matches.empty());
  CHECK(std::any_of(matches.begin(), matches.end(), [](const MapMatch& match) {
    return match.name.find("tiny_expert_neuron_v4.json by --criterion tc: ") == 0;
  }));
  CHECK(std::none_of(matches.begin(), matches.end(), [](const MapMatch& match) {
    return match.name.find("--criterion wnorm:") != std::string::npos;
  }));
  write(folder.path() / "a.json", drop_map_json(tiny_map()));
  write(folder.path() / "b.json", drop_map_json(traced.map));
  const std::string maps[] = {(folder.path() / "a.json").string(), (folder.path() / "b.json").string()};
  REQUIRE(match_maps(found, maps).size() == 1);
  CHECK(match_maps(found, maps)[0].name == maps[1]);
  CHECK(match_criteria(verify_checkpoint_drop(kHf, kTiny + "tiny-pruned-hf", {}), files).empty());
}

TEST_CASE("experts of the same bytes: any of them will do, in the order of the ids") {
  const TemporaryFolder folder;
  // In layer 0 expert 7 is a copy of 6, and in layer 1 all router rows are the same.
  auto twins = contents(kQ4);
  {
    const GgufFile file(kQ4);
    const auto copy = [&](const std::string& name, std::size_t from, std::size_t to) {
      const auto expert = file.tensor(name).bytes.size() / 16;
      const auto begin = offset_of(file, name);
      twins.replace(begin + to * expert, expert, twins.substr(begin + from * expert, expert));
    };
    for (const char* part :
         {"ffn_gate_up_exps.weight", "ffn_down_exps.weight", "ffn_gate_inp.weight", "ffn_down_exps.scale"})
      copy(std::string("blk.0.") + part, 6, 7);
    for (std::size_t id = 1; id < 16; ++id) copy("blk.1.ffn_gate_inp.weight", 0, id);
  }
  const auto original = folder.path() / "twins.gguf";
  write(original, twins);
  for (const std::uint32_t dropped : {6u, 7u}) {
    auto map = tiny_traced_map();
    map.map.dropped[0] = {0, 1, 2, dropped};
    const auto pruned = folder.path() / (std::to_string(dropped) + ".gguf");
    drop_from_gguf(original, map, "map.json", pruned, kQuiet);
    const auto found = verify_gguf_drop(original, pruned, {});
    CHECK(found.holds());
    CHECK(found.recovered.same_as[0][7] == 6);
    auto other = map.map;
    other.dropped[0].back() = 13 - dropped;
    CHECK(found.recovered.equals(keep_lists(map.map, 16)));
    CHECK(found.recovered.equals(keep_lists(other, 16)));
    other.dropped[0].back() = 5;
    CHECK_FALSE(found.recovered.equals(keep_lists(other, 16)));
  }
}

TEST_CASE("an expert that is none of the original's is told as one") {
  const Pruned pruned;
  const GgufFile file(pruned.path);
  auto damaged = pruned.bytes;
  for (const char* part :
       {"ffn_gate_up_exps.weight", "ffn_down_exps.weight", "ffn_gate_inp.weight", "ffn_down_exps.scale"}) {
    const auto name = std::string("blk.4.") + part;
    const auto expert = file.tensor(name).bytes.size() / 12;
    for (std::size_t i = 0; i < expert; ++i) damaged[offset_of(file, name) + 5 * expert + i] ^= 0x55;
  }
  const auto found = pruned.verified(damaged);
  REQUIRE(found.recovered.unmatched == std::vector<RecoveredKeep::Place>{{4, 5}});
  CHECK_FALSE(found.recovered.equals(keep_lists(tiny_map(), 16)));
  CHECK(found.damages.count(Damage::Kind::bytes) == 4);
  // The others of the layer were found all the same.
  auto keep = keep_lists(tiny_map(), 16)[4];
  auto recovered = found.recovered.keep[4];
  keep.erase(keep.begin() + 5);
  recovered.erase(recovered.begin() + 5);
  CHECK(recovered == keep);
}

TEST_CASE("a checkpoint's damages are found: tensors, config, files beside them, its record") {
  const TemporaryFolder folder;
  const auto pruned = folder.path() / "pruned";
  drop_from_checkpoint(kHf, tiny_traced_map(), "map.json", pruned, 2'000'000, kQuiet);
  const auto with = [&](const fs::path& name, const std::string& from, const std::string& to) {
    const auto before = contents(pruned / name);
    auto text = before;
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
    write(pruned / name, text);
    auto found = verify_checkpoint_drop(kHf, pruned, {});
    write(pruned / name, before);
    return found;
  };
  auto found = with("config.json", "\"num_experts\": 12", "\"num_experts\": 16");
  CHECK(only(found).where == "config.json /text_config/num_experts");
  CHECK(only(found).what == "is 16; expected 12");
  CHECK(only(found).kind == Damage::Kind::count);
  CHECK(only(with("config.json", "\"sliding_window\": 32", "\"sliding_window\": 64")).what ==
        "is 64; expected 32");
  CHECK(only(with("config.json", "\"use_cache\": true,", "")).what == "is missing");
  CHECK_THAT(only(with("config.json", "\"use_cache\"", "\"more\": [1], \"use_cache\"")).what,
             Contains("the original has no such field"));
  CHECK(only(with("generation_config.json", "0.95", "0.96")).where == "generation_config.json");
  CHECK(only(with("tokenizer.json", "a", "b")).kind == Damage::Kind::file);
  CHECK(only(with("expert_drop_metadata.json", "\"drop\": {\n    \"0\": [\n      1,",
                  "\"drop\": {\n    \"0\": [\n      2,"))
            .where == "expert_drop_metadata.json");
  fs::remove(pruned / "chat_template.jinja");
  CHECK(only(verify_checkpoint_drop(kHf, pruned, {})).what == "is missing");
  fs::copy(kHf / "chat_template.jinja", pruned);

  // A byte of each of some tensors.
  std::mt19937 random(10);
  const SafetensorsCheckpoint whole(kHf);
  std::vector<fs::path> shards;
  for (const auto& entry : fs::directory_iterator(pruned))
    if (entry.path().extension() == ".safetensors") shards.push_back(entry.path());
  for (int turn = 0; turn < 40; ++turn) {
    const auto& shard = shards[random() % shards.size()];
    const auto before = contents(shard);
    const auto header = parse_safetensors(std::as_bytes(std::span(before)), shard);
    const auto& tensor = header.tensors[random() % header.tensors.size()];
    const auto at = random() % tensor.bytes.size();
    auto damaged = before;
    damaged[static_cast<std::size_t>(tensor.bytes.data() - std::as_bytes(std::span(before)).data()) + at] ^=
        1;
    write(shard, damaged);
    const auto result = verify_checkpoint_drop(kHf, pruned, turn % 2 == 0 ? by_map() : VerifyOptions{});
    write(shard, before);
    const auto& damage = only(result);
    CHECK(damage.where == tensor.name);
    CHECK(damage.first == at);
  }
  CHECK(verify_checkpoint_drop(kHf, pruned, {}).holds());
}
