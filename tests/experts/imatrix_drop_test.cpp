#include "experts/imatrix_drop.h"

#include <cstring>
#include <string>
#include <vector>

#include "experts/imatrix_legacy.h"
#include "prompts/input_error.h"
#include "runners/model_files/gguf_file.h"
#include "runners/model_files/gguf_writer.h"
#include "tests/catch.h"
#include "tests/experts/tiny_drop.h"
#include "tests/temporary_folder.h"

using namespace gpqa;
using Catch::Matchers::Contains;
using gpqa_test::contents;
using gpqa_test::tiny_map;
using gpqa_test::tiny_traced_map;

namespace fs = std::filesystem;

namespace {

// Values that say where they come from: layer, expert, column.
float value(std::size_t layer, std::size_t expert, std::size_t column) {
  return static_cast<float>(layer * 10000 + expert * 100 + column);
}

constexpr std::size_t kWide = 5;    // of what gate and up read, and the router
constexpr std::size_t kNarrow = 3;  // of what down reads

struct Entry {
  std::string weight;
  std::size_t layer;
  std::size_t columns;
  std::size_t experts;  // 1: not of experts
};

std::vector<Entry> entries() {
  std::vector<Entry> all;
  for (std::size_t layer = 0; layer < 6; ++layer) {
    const auto name = "blk." + std::to_string(layer) + ".";
    all.push_back({name + "attn_q.weight", layer, kWide, 1});
    all.push_back({name + "ffn_down_exps.weight", layer, kNarrow, 16});
    all.push_back({name + "ffn_gate_inp.weight", layer, kWide, 1});
    all.push_back({name + "ffn_gate_up_exps.weight", layer, kWide, 16});
  }
  return all;
}

std::vector<float> values_of(const Entry& entry) {
  std::vector<float> values;
  for (std::size_t expert = 0; expert < entry.experts; ++expert)
    for (std::size_t column = 0; column < entry.columns; ++column)
      values.push_back(value(entry.layer, expert, column));
  return values;
}

// As llama-imatrix writes it: for each weight in_sum2, counts, in_sum, stats. `flat`: what it makes of its
// older format, which has one count a weight.
void write_imatrix(const fs::path& path, bool flat) {
  GgufMetadata metadata;
  metadata.set("general.type", "imatrix");
  metadata.set("imatrix.datasets", std::vector<std::string>{"text.txt"});
  metadata.set("imatrix.chunk_count", std::uint32_t{7});
  metadata.set("imatrix.chunk_size", std::uint32_t{512});
  std::vector<std::vector<float>> data;
  std::vector<TensorView> tensors;
  data.reserve(1000);
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape,
                       std::vector<float> numbers) {
    data.push_back(std::move(numbers));
    tensors.push_back({name, *block_format(0), std::move(shape), std::as_bytes(std::span(data.back()))});
  };
  for (const auto& entry : entries()) {
    const auto rows = flat ? 1 : entry.experts;
    const auto columns = entry.columns * entry.experts / rows;
    add(entry.weight + ".in_sum2", {columns, rows}, values_of(entry));
    std::vector<float> counts;
    for (std::size_t i = 0; i < rows; ++i) counts.push_back(static_cast<float>(1000 + i));
    add(entry.weight + ".counts", {1, rows}, counts);
    if (!flat) add(entry.weight + ".in_sum", {columns, rows}, values_of(entry));
    add(entry.weight + ".stats", {12}, std::vector<float>(12, 1.0F));
  }
  write_gguf(path, metadata, tensors);
}

std::vector<float> numbers_of(const TensorView& tensor) {
  std::vector<float> out(tensor.elements());
  std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

template <class T>
void put(std::string& out, T number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::string legacy_imatrix(bool with_router) {
  std::string entries_bytes;
  std::int32_t count = 0;
  for (const auto& entry : entries()) {
    if (!with_router && entry.weight.find("gate_inp") != std::string::npos) continue;
    ++count;
    put(entries_bytes, static_cast<std::int32_t>(entry.weight.size()));
    entries_bytes += entry.weight;
    put(entries_bytes, std::int32_t{7});
    const auto values = values_of(entry);
    put(entries_bytes, static_cast<std::int32_t>(values.size()));
    for (const float number : values) put(entries_bytes, number);
  }
  std::string out;
  put(out, count);
  out += entries_bytes;
  put(out, std::int32_t{7});
  put(out, std::int32_t{8});
  return out + "text.txt";
}

void check_values(const std::vector<float>& got, const Entry& entry) {
  INFO(entry.weight);
  const auto keep = kept(tiny_map(), entry.layer, 16);
  const std::size_t experts = entry.experts == 1 ? 1 : 12;
  REQUIRE(got.size() == experts * entry.columns);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto expert = entry.experts == 1 ? 0 : keep[i / entry.columns];
    CHECK(got[i] == value(entry.layer, expert, i % entry.columns));
  }
}

}  // namespace

TEST_CASE(
    "an imatrix in GGUF is cut by its model's map: sums, counts, and no statistics that are no longer true") {
  const bool flat = GENERATE(false, true);
  INFO((flat ? "one count a weight" : "a count an expert"));
  const TemporaryFolder folder;
  const auto source = folder.path() / "imatrix.gguf";
  write_imatrix(source, flat);
  CHECK(is_imatrix(source));
  const auto out = folder.path() / "out.gguf";
  const auto report = drop_from_imatrix(source, tiny_traced_map(), "map.json", std::nullopt, out);
  CHECK(report.experts_before == 16);
  CHECK(report.experts_after == 12);
  const GgufFile file(out);
  CHECK(file.count("imatrix.chunk_count") == 7);
  CHECK(file.text("general.type") == "imatrix");
  CHECK(file.count("gpqa.expert_drop.experts") == 16);
  for (const auto& entry : entries()) {
    INFO(entry.weight);
    const auto& sums = file.tensor(entry.weight + ".in_sum2");
    check_values(numbers_of(sums), entry);
    const bool of_experts = entry.experts > 1;
    const std::uint64_t rows = flat || !of_experts ? 1 : 12;
    CHECK(sums.rows() == rows);
    const auto counts = numbers_of(file.tensor(entry.weight + ".counts"));
    REQUIRE(counts.size() == rows);
    const auto keep = kept(tiny_map(), entry.layer, 16);
    for (std::size_t i = 0; i < counts.size(); ++i)
      CHECK(counts[i] == static_cast<float>(1000 + (rows == 1 ? 0 : keep[i])));
    if (!flat) check_values(numbers_of(file.tensor(entry.weight + ".in_sum")), entry);
    CHECK((file.find(entry.weight + ".stats") == nullptr) == of_experts);
  }
}

TEST_CASE("the older format of an imatrix is cut too") {
  const TemporaryFolder folder;
  const auto source = folder.path() / "imatrix.dat";
  std::ofstream(source, std::ios::binary) << legacy_imatrix(true);
  CHECK(is_imatrix(source));
  drop_from_imatrix(source, tiny_traced_map(), "map.json", std::nullopt, folder.path() / "out.dat");
  const auto bytes = contents(folder.path() / "out.dat");
  const auto cut = parse_legacy_imatrix(bytes, "out.dat");
  const auto whole = legacy_imatrix(true);
  CHECK(cut.rest == parse_legacy_imatrix(whole, "whole").rest);
  const auto all = entries();
  REQUIRE(cut.entries.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(cut.entries[i].weight == all[i].weight);
    CHECK(cut.entries[i].head == parse_legacy_imatrix(whole, "whole").entries[i].head);
    std::vector<float> values(cut.entries[i].values.size() / sizeof(float));
    std::memcpy(values.data(), cut.entries[i].values.data(), cut.entries[i].values.size());
    check_values(values, all[i]);
  }
  // Where no router's inputs tell how many experts there are, the user must.
  std::ofstream(folder.path() / "bare.dat", std::ios::binary) << legacy_imatrix(false);
  CHECK_THROWS_WITH(drop_from_imatrix(folder.path() / "bare.dat", tiny_traced_map(), "map.json", std::nullopt,
                                      folder.path() / "x"),
                    Contains("--experts"));
  drop_from_imatrix(folder.path() / "bare.dat", tiny_traced_map(), "map.json", 16,
                    folder.path() / "bare-out.dat");
  CHECK_THROWS_WITH(drop_from_imatrix(source, tiny_traced_map(), "map.json", 32, folder.path() / "x"),
                    Contains("shows 16"));
}

TEST_CASE("what is no imatrix, or a damaged one, is an error") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& bytes) {
    const auto path = folder.path() / "x.dat";
    std::ofstream(path, std::ios::binary) << bytes;
    CHECK_THROWS_AS(
        drop_from_imatrix(path, tiny_traced_map(), "map.json", std::nullopt, folder.path() / "out"),
        InputError);
    CHECK_FALSE(fs::exists(folder.path() / "out"));
  };
  refused("hello, this is a text");
  const auto whole = legacy_imatrix(true);
  // The data set's name is all that may be cut: nobody reads it.
  const auto end = whole.size() - parse_legacy_imatrix(whole, "whole").rest.size();
  for (std::size_t size = 1; size < end; size += 37) refused(whole.substr(0, size));
  CHECK_FALSE(is_imatrix(gpqa_test::kTiny + "tiny-q4_k_m.gguf"));
}
