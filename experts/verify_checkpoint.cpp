// The part of verify_drop.h that is about a checkpoint: config.json, and the files that decide what the model
// says.
#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "experts/checkpoint_files.h"
#include "experts/drop_record.h"
#include "experts/expert_counts.h"
#include "experts/expert_slices.h"
#include "experts/small_json.h"
#include "experts/verify_drop.h"
#include "experts/verify_tensors.h"
#include "prompts/input_error.h"
#include "runners/model_files/mapped_file.h"
#include "runners/model_files/safetensors_reader.h"

namespace gpqa {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kMostConfigBytes = 1u << 20;
constexpr std::size_t kMostRecordBytes = 64u << 20;

// Each field that config.json has, or hasn't, unlike the original's once its number of experts is changed.
void verify_config(const std::string& original, const fs::path& pruned, Verification& out) {
  const auto text = read_small_file(pruned, kMostConfigBytes);
  const auto found = Json::parse(text, nullptr, false);
  if (!found.is_object()) {
    throw FormatError(pruned.string(), "", "expected a JSON object");
  }
  // Numbers of experts that don't agree with one another are named one by one below.
  const auto expected = Json::parse(
      config_with_experts(original, static_cast<std::uint32_t>(out.experts_after), pruned), nullptr, false);
  for (const auto& change : Json::diff(expected, found)) {
    const auto pointer = change.at("path").get<std::string>();
    const auto operation = change.at("op").get<std::string>();
    const bool of_count = pointer.ends_with("/num_experts") || pointer.ends_with("/num_local_experts");
    const auto value = [&](const Json& json) {
      const Json::json_pointer where(pointer);
      return json.contains(where) ? json[where].dump(-1, ' ', true, Json::error_handler_t::replace)
                                  : std::string("not there");
    };
    out.damages.add(
        {.kind = of_count ? Damage::Kind::count : Damage::Kind::metadata,
         .where = fmt::format("config.json {}", pointer),
         .what = operation == "add"      ? fmt::format("is {}; the original has no such field", value(found))
                 : operation == "remove" ? "is missing"
                                         : fmt::format("is {}; expected {}", value(found), value(expected))});
  }
}

// A README may tell of the pruned model, and must; what a tokenizer reads may not differ.
bool decides_what_is_said(const fs::path& name) {
  constexpr std::array<std::string_view, 8> kBegin = {
      "tokenizer", "chat_template", "generation_config",  "special_tokens_map", "added_tokens",
      "vocab",     "merges",        "preprocessor_config"};
  const auto text = name.string();
  return std::any_of(kBegin.begin(), kBegin.end(), [&](auto begin) { return text.starts_with(begin); });
}

bool same_bytes(const fs::path& a, const fs::path& b) {
  if (fs::file_size(a) != fs::file_size(b)) {
    return false;
  }
  return fs::file_size(a) == 0 || MappedFile(a).text() == MappedFile(b).text();
}

void verify_files(const fs::path& original, const fs::path& pruned, Damages& damages) {
  for (const auto& name : list_checkpoint_files(original).small) {
    if (!decides_what_is_said(name)) {
      continue;
    }
    const bool there = fs::is_regular_file(pruned / name);
    if (!there || !same_bytes(original / name, pruned / name)) {
      damages.add({.kind = Damage::Kind::file,
                   .where = name.string(),
                   .what = there ? "differs from the original's" : "is missing"});
    }
  }
}

}  // namespace

Verification verify_checkpoint_drop(const fs::path& original_path, const fs::path& pruned_path,
                                    const VerifyOptions& options) {
  const auto config = read_small_file(original_path / "config.json", kMostConfigBytes);
  const auto counts = config_expert_counts(config, original_path / "config.json");
  const SafetensorsCheckpoint original(original_path);
  const ExpertSlices tensors(original);
  tensors.check(counts.experts);
  if (options.map) {
    check_fits(*options.map, options.map_path, tensors.layers().size(), counts.experts, counts.used);
  }
  const SafetensorsCheckpoint pruned(pruned_path);
  auto out = verify_tensors(tensors, ExpertSlices(pruned), counts, options);
  verify_config(config, pruned_path / "config.json", out);
  verify_files(original_path, pruned_path, out.damages);
  if (const auto record = pruned_path / kRecordFile; fs::exists(record)) {
    verify_record(kRecordFile, read_small_file(record, kMostRecordBytes), out);
  }
  return out;
}

}  // namespace gpqa
