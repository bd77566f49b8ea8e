// Dropping experts from GGUF files, against the hashes of what an independent implementation cut from them.
#include "experts/gguf_drop.h"

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "experts/drop_record.h"
#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/gguf_writer.h"
#include "tests/catch.h"
#include "tests/experts/tiny_drop.h"
#include "tests/support/widen_gguf.h"
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

std::string value_of(const GgufFile& file, const GgufEntry& entry) {
  const auto raw = file.raw(entry);
  return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

std::string refusal(const fs::path& model, const TracedMap& map, const fs::path& out) {
  try {
    drop_from_gguf(model, map, "map.json", out, kQuiet);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

// The model with other tensors: `change` gives those that stand for one.
template <class Change>
void rewrite(const fs::path& from, const fs::path& to, const Change& change,
             const GgufMetadata* metadata = nullptr) {
  const GgufFile file(from);
  std::vector<TensorView> tensors;
  for (const auto& tensor : file.tensors())
    for (auto& other : change(tensor)) tensors.push_back(std::move(other));
  write_gguf(to, metadata != nullptr ? *metadata : GgufMetadata(file), tensors);
}

const auto kSame = [](const TensorView& tensor) { return std::vector{tensor}; };

}  // namespace

TEST_CASE("every tensor of a pruned GGUF has the reference's bytes, whatever it is quantised to") {
  const auto type = GENERATE(as<std::string>(), "f32", "bf16", "q8_0", "q6_k", "q4_k_m");
  INFO(type);
  const TemporaryFolder folder;
  fs::path source = kTiny + "tiny-" + type + ".gguf";
  if (type == "f32") {
    source = folder.path() / "f32.gguf";
    gpqa::test::widen_gguf(kTiny + "tiny-bf16.gguf", source);
  }
  const auto out = folder.path() / "out.gguf";
  std::uint64_t told = 0;
  const auto report = drop_from_gguf(source, tiny_traced_map(), "maps/tiny.json", out,
                                     [&](std::uint64_t done, std::uint64_t of) {
                                       CHECK(done > told);
                                       CHECK(done <= of);
                                       told = done;
                                     });
  CHECK(report.experts_before == 16);
  CHECK(report.experts_after == 12);
  CHECK(report.layers == 6);
  CHECK(told == report.bytes_after);

  const GgufFile before(source);
  const GgufFile after(out);
  const auto expected = gpqa_test::read_json(kDropData + "tiny_pruned_gguf.sha256.json").at(type);
  REQUIRE(after.tensors().size() == expected.size());
  for (std::size_t i = 0; i < after.tensors().size(); ++i) {
    const auto& tensor = after.tensors()[i];
    INFO(tensor.name);
    const auto& golden = expected.at(tensor.name);
    CHECK(tensor.name == before.tensors()[i].name);
    CHECK(tensor.format.name == golden.at("type").get<std::string>());
    CHECK(tensor.shape == golden.at("ne").get<std::vector<std::uint64_t>>());
    CHECK(hash_of(tensor) == golden.at("sha256").get<std::string>());
  }
  CHECK(after.header().alignment == before.header().alignment);
  if (type == "f32") {
    // What llama.cpp's converter makes of transformers' pruned checkpoint has the same tensors in the same
    // order.
    const auto converted =
        gpqa_test::read_json(kDropData + "tiny_pruned_gguf_tensors.json").at("tiny-pruned-f32.gguf");
    for (std::size_t i = 0; i < after.tensors().size(); ++i) {
      CHECK(after.tensors()[i].name == converted.at("tensors")[i][0].get<std::string>());
      CHECK(after.tensors()[i].shape == converted.at("tensors")[i][1].get<std::vector<std::uint64_t>>());
    }
    for (const auto& entry : after.header().entries)
      CHECK((entry.key.starts_with(kRecordKeys) || converted.at("kv").contains(entry.key)));
  }

  // Every key as it was, in its place, but for the count; what is added comes after them.
  const auto& keys = before.header().entries;
  REQUIRE(after.header().entries.size() > keys.size());
  for (std::size_t i = 0; i < after.header().entries.size(); ++i) {
    const auto& entry = after.header().entries[i];
    INFO(entry.key);
    if (i >= keys.size()) {
      CHECK(entry.key.starts_with(kRecordKeys));
      continue;
    }
    CHECK(entry.key == keys[i].key);
    CHECK(entry.type == keys[i].type);
    if (entry.key == "gemma4.expert_count")
      CHECK(after.count(entry.key) == 12);
    else
      CHECK(value_of(after, entry) == value_of(before, keys[i]));
  }
}

TEST_CASE("a pruned GGUF says what was dropped, by which map, and on what that was calibrated") {
  const TemporaryFolder folder;
  auto map = tiny_traced_map();
  map.on_evaluated_questions = true;
  drop_from_gguf(kTiny + "tiny-q4_k_m.gguf", map, "maps/tiny.json", folder.path() / "out.gguf", kQuiet);
  const GgufFile file(folder.path() / "out.gguf");
  CHECK(file.text("gpqa.expert_drop.source") == "tiny-q4_k_m.gguf");
  CHECK(file.count("gpqa.expert_drop.experts") == 16);
  CHECK(file.text("gpqa.expert_drop.map_sha256") == map.sha256);
  CHECK(file.text("gpqa.expert_drop.calibrated_on") == "random numbers");
  CHECK(file.flag("gpqa.expert_drop.on_evaluated_questions"));
  const auto record = nlohmann::json::parse(file.text(kRecordKey));
  CHECK(record["map"]["file"] == "tiny.json");
  CHECK(record["keep"] == gpqa_test::read_json(kDropData + "tiny_keep_lists.json")["keep"]);
  CHECK(record["drop"] == gpqa_test::read_json(kDropData + "tiny_keep_lists.json")["drop"]);

  // Dropped from again by an innocent map: what was chosen by the questions stays chosen by them.
  auto again = tiny_traced_map();
  again.map = map_of_kept(std::vector<ExpertIds>(6, ExpertIds{1, 2, 5, 6, 9, 11}), 12);
  drop_from_gguf(folder.path() / "out.gguf", again, "again.json", folder.path() / "twice.gguf", kQuiet);
  const GgufFile twice(folder.path() / "twice.gguf");
  CHECK(twice.count("gemma4.expert_count") == 6);
  CHECK(twice.flag("gpqa.expert_drop.on_evaluated_questions"));
  const auto second = nlohmann::json::parse(twice.text(kRecordKey));
  CHECK(second["map"]["on_evaluated_questions"] == false);
  CHECK(second["earlier"] == record);
}

TEST_CASE("gate and up apart, biases, another alignment, a split file: all cut alike") {
  const TemporaryFolder folder;
  const auto apart = folder.path() / "apart.gguf";
  std::vector<std::string> halves;  // bytes that the views look at
  halves.reserve(100);
  const auto split = [&](const TensorView& tensor) -> std::vector<TensorView> {
    constexpr std::string_view kBoth = "ffn_gate_up_exps.weight";
    if (!tensor.name.ends_with(kBoth)) return {tensor};
    const auto layer = tensor.name.substr(0, tensor.name.size() - kBoth.size());
    std::vector<TensorView> out;
    for (const bool up : {false, true}) {
      auto& bytes = halves.emplace_back();
      const auto expert = tensor.bytes.size() / tensor.shape[2];
      for (std::size_t i = 0; i < tensor.shape[2]; ++i)
        bytes.append(reinterpret_cast<const char*>(tensor.bytes.data()) + i * expert + (up ? expert / 2 : 0),
                     expert / 2);
      out.push_back({layer + (up ? "ffn_up_exps.weight" : "ffn_gate_exps.weight"),
                     tensor.format,
                     {tensor.shape[0], tensor.shape[1] / 2, tensor.shape[2]},
                     std::as_bytes(std::span(bytes))});
    }
    // One number a row and expert, and one an expert.
    auto& bias = halves.emplace_back();
    for (std::uint32_t i = 0; i < 3 * 16; ++i) {
      const auto number = static_cast<float>(i);
      bias.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    const auto bytes = std::as_bytes(std::span(bias));
    out.push_back({layer + "ffn_down_exps.bias", *block_format(0), {3, 16}, bytes});
    out.push_back({layer + "ffn_up_exps.input_scale", *block_format(0), {16}, bytes.first(64)});
    return out;
  };
  const auto source = kTiny + "tiny-q6_k.gguf";
  GgufMetadata metadata{GgufFile(source)};
  metadata.set("general.alignment", std::uint32_t{4096});
  rewrite(source, apart, split, &metadata);
  const auto out = folder.path() / "out.gguf";
  drop_from_gguf(apart, tiny_traced_map(), "map.json", out, kQuiet);
  const GgufFile before(apart);
  const GgufFile after(out);
  CHECK(after.header().alignment == 4096);
  const auto keep = gpqa_test::read_json(kDropData + "tiny_keep_lists.json")["keep"];
  REQUIRE(after.tensors().size() == before.tensors().size());
  std::size_t cut = 0;
  for (const auto& tensor : after.tensors()) {
    INFO(tensor.name);
    const auto& original = before.tensor(tensor.name);
    if (tensor.bytes.size() == original.bytes.size()) {
      CHECK(hash_of(tensor) == hash_of(original));
      continue;
    }
    ++cut;
    const auto layer = tensor.name.substr(4, 1);
    const auto expert = original.bytes.size() / 16;
    REQUIRE(tensor.bytes.size() == expert * 12);
    for (std::size_t slot = 0; slot < 12; ++slot)
      CHECK(std::memcmp(tensor.bytes.data() + slot * expert,
                        original.bytes.data() + keep[layer][slot].get<std::size_t>() * expert, expert) == 0);
  }
  // gate, up, down, its scale and bias, up's input scale, the router's rows.
  CHECK(cut == 6 * 7);

  // Three files, the second without an expert.
  const auto tensors = before.tensors();
  const std::size_t ends[] = {0, tensors.size() - 3, tensors.size() - 2, tensors.size()};
  for (std::uint16_t i = 0; i < 3; ++i) {
    GgufMetadata part{before};
    part.set("split.no", i);
    part.set("split.count", std::uint16_t{3});
    part.set("split.tensors.count", static_cast<std::int32_t>(tensors.size()));
    write_gguf(folder.path() / ("s-0000" + std::to_string(i + 1) + "-of-00003.gguf"), part,
               tensors.subspan(ends[i], ends[i + 1] - ends[i]));
  }
  const auto joined = folder.path() / "joined.gguf";
  drop_from_gguf(folder.path() / "s-00001-of-00003.gguf", tiny_traced_map(), "map.json", joined, kQuiet);
  const GgufFile one(joined);
  CHECK_FALSE(one.has("split.count"));
  CHECK_FALSE(one.has("split.tensors.count"));
  REQUIRE(one.tensors().size() == after.tensors().size());
  for (std::size_t i = 0; i < one.tensors().size(); ++i) {
    CHECK(one.tensors()[i].name == after.tensors()[i].name);
    CHECK(hash_of(one.tensors()[i]) == hash_of(after.tensors()[i]));
  }
}

TEST_CASE("a map that doesn't fit the GGUF, and a model that isn't one of experts, are refused") {
  const TemporaryFolder folder;
  const fs::path model = kTiny + "tiny-q4_k_m.gguf";
  const auto out = folder.path() / "out.gguf";
  auto map = tiny_traced_map();
  map.map.dropped.pop_back();
  CHECK_THAT(refusal(model, map, out), Contains("map.json") && Contains("5 layers"));
  map = tiny_traced_map();
  map.map.dropped[3].back() = 16;
  CHECK_THAT(refusal(model, map, out), Contains("drops expert 16"));
  // 3 of 16 would stay, and the router chooses 4.
  map.map = map_of_kept(std::vector<ExpertIds>(6, ExpertIds{1, 2, 3}), 16);
  CHECK_THAT(refusal(model, map, out), Contains("leaves 3 of 16 experts"));
  map.map = map_of_kept(std::vector<ExpertIds>(6, ExpertIds{1, 2, 3, 4}), 16);
  CHECK(refusal(model, map, out) == "accepted");
  CHECK_THAT(refusal(model, map, out), Contains("is there already"));

  const auto changed = [&](const char* name, auto&& change) {
    const auto path = folder.path() / name;
    rewrite(model, path, change);
    return refusal(path, map, folder.path() / "never.gguf");
  };
  const auto without = [](std::string part) {
    return [part = std::move(part)](const TensorView& tensor) {
      return tensor.name.ends_with(part) ? std::vector<TensorView>{} : std::vector{tensor};
    };
  };
  CHECK_THAT(changed("a", without("2.ffn_down_exps.weight")),
             Contains("layer 2") && Contains("ffn_down_exps.weight is missing"));
  CHECK_THAT(changed("b", without("4.ffn_gate_inp.weight")), Contains("layer 4"));
  CHECK_THAT(changed("c",
                     [](TensorView tensor) {
                       if (tensor.name == "blk.1.ffn_down_exps.scale")
                         tensor = {tensor.name, tensor.format, {15}, tensor.bytes.first(60)};
                       return std::vector{tensor};
                     }),
             Contains("blk.1.ffn_down_exps.scale") && Contains("15 experts; the model says 16"));
  CHECK_THAT(changed("d",
                     [](TensorView tensor) {
                       if (tensor.name == "blk.1.ffn_gate_inp.scale")
                         tensor.name = "blk.1.ffn_norm_exps.weight";
                       return std::vector{tensor};
                     }),
             Contains("ffn_norm_exps") && Contains("isn't one that is known here"));
  CHECK_FALSE(fs::exists(folder.path() / "never.gguf"));
  GgufMetadata dense{GgufFile(model)};
  dense.remove("gemma4.expert_count");
  rewrite(model, folder.path() / "dense", kSame, &dense);
  CHECK_THAT(refusal(folder.path() / "dense", map, folder.path() / "never.gguf"),
             Contains("gemma4.expert_count is missing"));
  CHECK_FALSE(fs::exists(folder.path() / "never.gguf.part"));
}
